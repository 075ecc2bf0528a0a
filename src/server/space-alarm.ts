// The alarm that the database is full: raised through the log, once at a time.

import type { Logger } from "../base/log.ts";
import { idText } from "../state/members/member-json.ts";
import type { State } from "../state/state.ts";
import { RequestField } from "../wire/internal-raft-request.ts";
import { AlarmAction, AlarmType, encodeAlarmRequest } from "../wire/messages/rpc-maintenance.ts";
import type { Proposals } from "./proposals.ts";

export class SpaceAlarm {
  readonly #parts: {
    readonly log: Logger;
    readonly memberId: bigint;
    readonly state: State;
    readonly proposals: Proposals;
  };
  #isRaising = false;

  constructor(parts: {
    readonly log: Logger;
    readonly memberId: bigint;
    readonly state: State;
    readonly proposals: Proposals;
  }) {
    this.#parts = parts;
  }

  raise(): void {
    const { log, memberId, state, proposals } = this.#parts;
    if (this.#isRaising || state.alarms.isActive(AlarmType.NOSPACE)) return;
    this.#isRaising = true;
    const body = encodeAlarmRequest({
      action: AlarmAction.ACTIVATE,
      memberID: memberId,
      alarm: AlarmType.NOSPACE,
    });
    const done = (): void => {
      this.#isRaising = false;
    };
    log.warn("alarm raised", { alarm: "NOSPACE", from: idText(memberId) });
    const waiter = { proposedAtMs: 0, settle: done, fail: done };
    proposals.propose(RequestField.Alarm, body, 0, body.length, waiter);
  }
}
