// Copies a range of keys to another cluster and keeps the copy up to date.
//
//   range at revision R, page by page ─► puts            what is there
//   watch from R + 1 ─► one transaction per revision ─► puts and deletions      what follows
//
// A transaction that is larger than the destination takes is cut: atomicity ends there.

import { bytes } from "../../client/bytes.ts";
import type { Caller } from "../../client/caller.ts";
import type { ClientOptions } from "../../client/dial.ts";
import { errorText } from "../../client/errors.ts";
import { EVERYTHING_AFTER, prefixEnd } from "../../client/keys.ts";
import { Kv } from "../../client/kv.ts";
import { Watcher } from "../../client/watcher.ts";
import { type Event, EventType } from "../../wire/messages/kv.ts";
import type { RequestOpInit } from "../../wire/messages/rpc-kv.ts";
import type { Body } from "../flags/command.ts";
import type { Flag, FlagSet } from "../flags/flag-set.ts";
import { tlsOptions, userAndPassword } from "./client-options.ts";
import { badArguments, Exit, ExitCode } from "./exit.ts";
import type { Session } from "./session.ts";

/** Keys asked for at a time. */
const PAGE_KEYS = 1000;

/** Between reports of how much was copied. */
const REPORT_MS = 30_000;

interface MirrorFlags {
  readonly prefix: Flag<string>;
  readonly destPrefix: Flag<string>;
  readonly noDestPrefix: Flag<boolean>;
  readonly rev: Flag<bigint>;
  readonly operationsMax: Flag<bigint>;
  readonly cert: Flag<string>;
  readonly key: Flag<string>;
  readonly cacert: Flag<string>;
  readonly insecureTransport: Flag<boolean>;
  readonly user: Flag<string>;
  readonly password: Flag<string>;
}

function mirrorFlags(set: FlagSet): MirrorFlags {
  return {
    prefix: set.string("prefix", "", "the keys that begin with this"),
    destPrefix: set.string("dest-prefix", "", "what they begin with at the destination"),
    noDestPrefix: set.boolean("no-dest-prefix", false, "take the prefix off at the destination"),
    rev: set.integer("rev", 0n, "begin with the changes at this revision, without what is there"),
    operationsMax: set.unsigned("max-txn-ops", 128n, "largest transaction at the destination"),
    cert: set.string("dest-cert", "", "the client's certificate there (file)"),
    key: set.string("dest-key", "", "the key of that certificate (file)"),
    cacert: set.string("dest-cacert", "", "who signs the certificates there (file)"),
    insecureTransport: set.boolean("dest-insecure-transport", true, "connect there without TLS"),
    user: set.string("dest-user", "", "name[:password] there"),
    password: set.string("dest-password", "", "the password of --dest-user"),
  };
}

async function destinationOptions(
  session: Session,
  flags: MirrorFlags,
  endpoint: string,
): Promise<ClientOptions> {
  const config = await session.config();
  return {
    ...config,
    endpoints: [endpoint],
    tls: await tlsOptions({ ...flags, skipVerify: false, serverName: undefined }),
    username: undefined,
    password: undefined,
    token: undefined,
    ...(await userAndPassword(session.console, flags, "Destination Password: ")),
  };
}

/** The first revision has nothing before it: all of it is copied. */
function startsLater(flags: MirrorFlags): boolean {
  return flags.rev.value > 1n;
}

/** Renames keys on their way. */
function renamer(flags: MirrorFlags): (key: Uint8Array) => Uint8Array {
  const from = bytes(flags.prefix.value);
  // With --rev etcdctl takes the prefix off, too.
  const isKept = !flags.noDestPrefix.value && !startsLater(flags);
  if (isKept && flags.destPrefix.value === "") return (key) => key;
  const to = bytes(flags.noDestPrefix.value ? "" : flags.destPrefix.value);
  return (key) => Buffer.concat([to, key.subarray(from.length)]);
}

class Mirror {
  copied = 0;
  hasEnded = false;
  readonly #source: Caller;
  readonly #destination: Kv;
  readonly #rename: (key: Uint8Array) => Uint8Array;
  readonly #range: { key: Uint8Array; rangeEnd: Uint8Array };
  readonly #operationsMax: number;

  constructor(source: Caller, destination: Caller, flags: MirrorFlags) {
    this.#source = source;
    this.#destination = new Kv(destination);
    this.#rename = renamer(flags);
    const key = bytes(flags.prefix.value);
    this.#range = {
      key: key.length === 0 ? EVERYTHING_AFTER : key,
      rangeEnd: prefixEnd(key),
    };
    this.#operationsMax = Math.max(1, Number(flags.operationsMax.value));
  }

  /** What is there now. Returns its revision. */
  async copy(): Promise<number> {
    const kv = new Kv(this.#source);
    let { key } = this.#range;
    let revision = 0;
    for (;;) {
      const request = { ...this.#range, key, limit: PAGE_KEYS, revision };
      const page = await kv.range(request);
      revision ||= page.header?.revision ?? 0;
      for (const one of page.kvs) {
        await this.#destination.put({ key: this.#rename(one.key), value: one.value });
        this.copied++;
      }
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) return revision;
      key = Buffer.concat([last.key, EVERYTHING_AFTER]);
    }
  }

  /** What happens from `startRevision` on, for ever. @throws Exit when the watch ends */
  async follow(startRevision: number): Promise<never> {
    const watcher = new Watcher(this.#source, { ...this.#range, startRevision });
    for (let next = await watcher.next(); next !== undefined; next = await watcher.next()) {
      if (next.canceled) {
        const compacted = "etcdserver: mvcc: required revision has been compacted";
        const text = next.compactRevision > 0 ? compacted : next.cancelReason;
        throw new Exit(ExitCode.Error, text);
      }
      let at = 0;
      while (at < next.events.length) {
        const revision = next.events[at]!.kv?.modRevision;
        let end = at + 1;
        while (next.events[end]?.kv?.modRevision === revision && end < next.events.length) end++;
        await this.#apply(next.events.slice(at, end));
        at = end;
      }
    }
    throw new Exit(ExitCode.Error, "the watch has ended");
  }

  async #apply(events: readonly Event[]): Promise<void> {
    for (let at = 0; at < events.length; at += this.#operationsMax) {
      const part = events.slice(at, at + this.#operationsMax);
      await this.#destination.txn({ success: part.map((event) => this.#operation(event)) });
      this.copied += part.length;
    }
  }

  #operation({ type, kv }: Event): RequestOpInit {
    const key = this.#rename(kv?.key ?? new Uint8Array(0));
    if (type === EventType.DELETE) return { requestDeleteRange: { key } };
    return { requestPut: { key, value: kv?.value } };
  }
}

/** Prints how much was copied until the mirror has ended. */
async function report(session: Session, mirror: Mirror): Promise<void> {
  for (;;) {
    await session.world.sleep(REPORT_MS);
    if (mirror.hasEnded) return;
    session.print(`${mirror.copied}\n`);
  }
}

export const body: Body<Session> = {
  long: `Copies keys to another cluster and follows their changes until it is stopped.

The number of keys copied so far is printed every 30 seconds.`,
  prepare(set) {
    const flags = mirrorFlags(set);
    return async (session, args) => {
      const [endpoint] = args;
      if (endpoint === undefined || args.length > 1) {
        throw badArguments("make-mirror takes one destination argument");
      }
      if (flags.destPrefix.value !== "" && flags.noDestPrefix.value) {
        throw badArguments(
          "`--dest-prefix` and `--no-dest-prefix` cannot be set at the same time, choose one",
        );
      }
      const options = await destinationOptions(session, flags, endpoint);
      const destination = await session.openCaller(options, "etcd-client");
      const mirror = new Mirror(await session.caller(), destination, flags);
      report(session, mirror);
      try {
        const isLater = startsLater(flags);
        await mirror.follow(isLater ? Number(flags.rev.value) : (await mirror.copy()) + 1);
      } catch (error) {
        throw error instanceof Exit ? error : new Exit(ExitCode.Error, errorText(error));
      } finally {
        mirror.hasEnded = true;
      }
    };
  },
};
