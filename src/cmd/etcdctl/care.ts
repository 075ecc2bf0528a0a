import { humanSize } from "../../base/human-size.ts";
import {
  type ActionsResponse,
  ActionsResponse_DESCRIPTOR,
  type CareAction,
  encodeActionsResponse,
} from "../../wire/messages/quorate.ts";
import type { Body } from "../flags/command.ts";
import { asked, careOf } from "./care-calls.ts";
import { badArguments } from "./exit.ts";
import { drawTable } from "./printers/table.ts";
import { messageView, type View } from "./printers/view.ts";
import type { Session } from "./session.ts";

const HEADS = ["time", "action", "result", "before", "after", "took", "reason"];

function cells(event: CareAction): string[] {
  return [
    new Date(event.unixMs).toISOString().slice(0, 19),
    event.revision === 0 ? event.action : `${event.action} ${event.revision}`,
    event.result,
    humanSize(event.bytesBefore),
    humanSize(event.bytesAfter),
    `${event.tookMs}ms`,
    event.reason,
  ];
}

export function actionsView(response: ActionsResponse): View {
  const state = `self-care is ${response.selfCare}\n`;
  return {
    ...messageView(response, ActionsResponse_DESCRIPTOR, encodeActionsResponse),
    simple: () => [...response.actions.map((event) => `${cells(event).join(", ")}\n`), state],
    table: () => [drawTable(HEADS, response.actions.map(cells)), state],
  };
}

export const body: Body<Session> = {
  long: `Shows what a member has done by itself against a full disk, and why: time, action, result,
size before and after, how long it took, the reason. Compactions show what is in use, the others the
size of the file.`,
  prepare: () => async (session, args) => {
    if (args.length > 0) throw badArguments("care command accepts no arguments");
    const care = await careOf(session);
    session.show(actionsView(await asked(session, care.actions(session.callOptions))));
  },
};
