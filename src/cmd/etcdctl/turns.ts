// What `lock` and `elect` share: a place in a waiting line that is left on a signal.

import type { Caller } from "../../client/caller.ts";
import { errorText } from "../../client/errors.ts";
import { Kv } from "../../client/kv.ts";
import { Session as LeaseSession, SESSION_TTL_SECONDS } from "../../client/session.ts";
import { type Turn, WaitingLine } from "../../client/waiting-line.ts";
import { Exit, ExitCode } from "./exit.ts";
import { rangeView } from "./get.ts";
import { logLine } from "./log.ts";
import type { Session } from "./session.ts";

export interface OwnTurn extends Turn {
  readonly lease: LeaseSession;
  /** Resolves on a signal, once for all that wait for it. */
  readonly interrupted: Promise<void>;
  leave(): Promise<void>;
}

/** The TTL that is asked for, or the default after a warning. */
export function sessionTtl(session: Session, seconds: bigint): number {
  if (seconds > 0n) return Number(seconds);
  const message = "WithTTL(): TTL should be > 0, preserving current TTL";
  const fields = { "current-session-ttl": SESSION_TTL_SECONDS };
  session.console.err(logLine("warn", "etcd-client", "etcdctl/turns.ts", message, fields));
  return SESSION_TTL_SECONDS;
}

/** Waits in line for the turn. @throws Exit when a signal comes first */
export async function takeTurn(
  session: Session,
  caller: Caller,
  options: { name: string; value: Uint8Array; ttlSeconds: number },
): Promise<OwnTurn> {
  const interrupted = session.world.interrupted();
  const controller = new AbortController();
  interrupted.then(() => controller.abort());
  const line = new WaitingLine(caller, options.name);
  let lease: LeaseSession | undefined;
  try {
    lease = await LeaseSession.open({ caller }, { ttlSeconds: options.ttlSeconds });
    const turn = await line.join(lease, options.value, { signal: controller.signal });
    return { ...turn, lease, interrupted, leave: async () => void (await line.leave(turn)) };
  } catch (error) {
    await lease?.close().catch(() => {});
    throw new Exit(ExitCode.Error, errorText(error));
  }
}

/** Shows the key of the turn and keeps it until a signal comes. @throws Exit when it is lost */
export async function holdTurn(session: Session, caller: Caller, turn: OwnTurn): Promise<void> {
  session.show(rangeView(await new Kv(caller).range({ key: turn.key }, session.callOptions)));
  const lost = turn.lease.lost.then(() => true);
  if (await Promise.race([lost, turn.interrupted.then(() => false)])) {
    throw new Exit(ExitCode.Error, "session expired");
  }
  await turn.leave();
  turn.lease.orphan();
}
