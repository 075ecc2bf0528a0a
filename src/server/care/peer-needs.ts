// Which history the watchers and readers of the other members need: the leader asks before it
// compacts. A question of our own between members; a Go member answers 404, and then nobody knows:
// self-care leaves compaction to the operator as long as one is there. A member that cannot be
// reached is left out: what it has not applied yet it will see in order, the compaction after it.

import type { Network, PeerAnswer, PeerRequest } from "../../io/network.ts";
import { idText, type Member } from "../../state/members/member-json.ts";
import { askAll } from "../ask-peer.ts";
import { jsonAnswer } from "../peer-answers.ts";

export const NEEDED_REVISION_PATH = "/quorate/needed-revision";

const TIMEOUT_MS = 2000;

export type Needs =
  /** Infinity: nothing old. */
  { readonly revision: number; readonly memberId: bigint } | { readonly unknownTo: bigint };

export interface NeedsQuestion {
  readonly network: Pick<Network, "ask">;
  readonly members: readonly Member[];
  readonly memberId: bigint;
}

export function answerNeeds(revision: number): PeerAnswer {
  return jsonAnswer(200, JSON.stringify(Number.isFinite(revision) ? { revision } : {}));
}

/** The oldest that any other member needs, or one that could not tell. */
export function askNeeds(question: NeedsQuestion, done: (needs: Needs) => void): void {
  const { network, members, memberId } = question;
  const request: PeerRequest = {
    ...{ method: "GET", path: NEEDED_REVISION_PATH, timeoutMs: TIMEOUT_MS },
  };
  const others = members.filter(({ id }) => id !== memberId);
  askAll(
    others,
    (member, told: (needs: Needs) => void) => {
      const url = member.peerUrls[0] ?? "";
      network.ask(url, request, (answer) => told(readNeeds(member.id, answer)));
    },
    (all) => {
      let oldest: Needs = { revision: Number.POSITIVE_INFINITY, memberId };
      for (const needs of all) {
        if ("unknownTo" in needs) {
          done(needs);
          return;
        }
        if (needs.revision < oldest.revision) oldest = needs;
      }
      done(oldest);
    },
  );
}

/** Why nothing can be done, for people. */
export function unknownText({ unknownTo }: { readonly unknownTo: bigint }): string {
  return `member ${idText(unknownTo)} cannot tell which history its watchers need`;
}

function readNeeds(memberId: bigint, answer: PeerAnswer | Error): Needs {
  const nothing = { revision: Number.POSITIVE_INFINITY, memberId };
  if (answer instanceof Error) return nothing;
  if (answer.status !== 200) return { unknownTo: memberId };
  try {
    const { revision } = JSON.parse(Buffer.from(answer.body).toString()) as { revision?: unknown };
    if (revision === undefined) return nothing;
    return typeof revision === "number" ? { revision, memberId } : { unknownTo: memberId };
  } catch {
    return { unknownTo: memberId };
  }
}
