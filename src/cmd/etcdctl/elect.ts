import { bytes } from "../../client/bytes.ts";
import type { Caller } from "../../client/caller.ts";
import { observeElection } from "../../client/election.ts";
import { SESSION_TTL_SECONDS } from "../../client/session.ts";
import { newRangeResponse } from "../../wire/messages/rpc-kv.ts";
import type { Body } from "../flags/command.ts";
import { badArguments } from "./exit.ts";
import { rangeView } from "./get.ts";
import type { Session } from "./session.ts";
import { holdTurn, takeTurn } from "./turns.ts";

/** Shows each leader and each of its proposals until a signal comes. */
async function observe(session: Session, caller: Caller, name: string): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  session.world.interrupted().then(() => controller.abort());
  for await (const { header, kv } of observeElection({ caller }, name, { signal })) {
    session.show(rangeView({ ...newRangeResponse(), header, kvs: [kv] }));
  }
}

export const body: Body<Session> = {
  long: `Takes part in an election with a proposal, and leads until SIGINT; with -l only watches.`,
  prepare(flags) {
    const listen = flags.boolean("listen", false, "watch who leads", { short: "l" });
    return async (session, args) => {
      const [name, proposal] = args;
      if (name === undefined || args.length > 2) {
        throw badArguments(
          "elect takes one election name argument and an optional proposal argument",
        );
      }
      if (listen.value && proposal !== undefined) {
        throw badArguments("proposal given but -l is set");
      }
      if (!listen.value && proposal === undefined) {
        throw badArguments("no proposal argument but -l not set");
      }
      const caller = await session.caller();
      if (proposal === undefined) return observe(session, caller, name);
      const value = bytes(proposal);
      const options = { name, value, ttlSeconds: SESSION_TTL_SECONDS };
      await holdTurn(session, caller, await takeTurn(session, caller, options));
    };
  },
};
