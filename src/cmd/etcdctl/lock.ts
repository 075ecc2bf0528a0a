import type { Body } from "../flags/command.ts";
import { badArguments, Exit } from "./exit.ts";
import type { Session } from "./session.ts";
import { holdTurn, type OwnTurn, sessionTtl, takeTurn } from "./turns.ts";

const TTL_SECONDS = 10n;

async function runLocked(
  session: Session,
  turn: OwnTurn,
  program: readonly string[],
): Promise<void> {
  const { runProgram } = await import("./run-program.ts");
  const result = runProgram(program, {
    ...session.world.environment,
    ETCD_LOCK_KEY: Buffer.from(turn.key).toString(),
    ETCD_LOCK_REV: String(turn.header.revision),
  });
  await turn.leave();
  // The lease ends by itself, soon: the lock is free already.
  turn.lease.orphan();
  if (result.error !== "") throw new Exit(result.code, result.error);
}

export const body: Body<Session> = {
  long: `Waits for the lock of that name and holds it until the end of a program, or until SIGINT.

The program finds the lock in ETCD_LOCK_KEY and ETCD_LOCK_REV; its exit code is the one of etcdctl.`,
  prepare(flags) {
    const ttl = flags.integer("ttl", TTL_SECONDS, "seconds after which a dead holder loses it");
    return async (session, args) => {
      const [name, ...program] = args;
      if (name === undefined) {
        throw badArguments("lock takes a lock name argument and an optional command to execute");
      }
      const caller = await session.caller();
      const ttlSeconds = sessionTtl(session, ttl.value);
      const value = new Uint8Array(0);
      const turn = await takeTurn(session, caller, { name, value, ttlSeconds });
      if (program.length > 0) await runLocked(session, turn, program);
      else await holdTurn(session, caller, turn);
    };
  },
};
