import { Kv } from "../../client/kv.ts";
import type { Body } from "../flags/command.ts";
import { Exit, ExitCode } from "./exit.ts";
import { cleanUp, openCallers, refuseUsedPrefix, reportErrors, runLoad } from "./load.ts";
import { Progress } from "./progress.ts";
import type { Session } from "./session.ts";

interface Workload {
  readonly pairs: number;
  readonly clients: number;
}

const workloads: Readonly<Record<string, Workload>> = {
  s: { pairs: 10_000, clients: 50 },
  m: { pairs: 100_000, clients: 200 },
  l: { pairs: 1_000_000, clients: 500 },
  xl: { pairs: 3_000_000, clients: 1000 },
};
const longNames: Readonly<Record<string, string>> = {
  small: "s",
  medium: "m",
  large: "l",
  xLarge: "xl",
};

/** A pair is half key, half value. */
const PAIR_BYTES = 1024;

const MEMORY_METRIC = "process_resident_memory_bytes";

/** What the member's own metrics say, or undefined when they cannot be read. */
async function residentBytes(session: Session, endpoint: string): Promise<number | undefined> {
  const { fetchText } = await import("./fetch.ts");
  const { tls } = await session.config();
  const text = await fetchText(endpoint, "/metrics", tls);
  const line = text?.split("\n").find((one) => one.startsWith(`${MEMORY_METRIC} `));
  const value = Number(line?.slice(MEMORY_METRIC.length + 1));
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

async function residentBytesOrExit(
  session: Session,
  endpoint: string,
  when: "before" | "after",
): Promise<number> {
  const value = await residentBytes(session, endpoint);
  if (value !== undefined) return value;
  session.print(`FAIL: Could not read ${MEMORY_METRIC} ${when} the put operations.\n`);
  throw new Exit(ExitCode.Error);
}

function counter(session: Session, pairs: number): () => Promise<boolean> {
  const progress = new Progress(session.console, session.world.nowMs);
  let granted = 0;
  return async () => {
    if (granted >= pairs) {
      progress.end();
      return false;
    }
    granted++;
    progress.update(granted, pairs, `${granted} of ${pairs} puts`);
    return true;
  };
}

export const body: Body<Session> = {
  long: `Puts the key-value pairs of a load and tells how much the memory of a member grew.

The member is the one behind the first endpoint.`,
  prepare(flags) {
    const name = flags.string("load", "s", "s(mall), m(edium), l(arge) or xl (xLarge)");
    const prefix = flags.string("prefix", "/etcdctl-check-datascale/", "what the keys begin with");
    const compact = flags.boolean("auto-compact", false, "compact the history afterwards");
    const defrag = flags.boolean("auto-defrag", false, "defragment the member afterwards");
    return async (session) => {
      const load = workloads[longNames[name.value] ?? name.value];
      if (load === undefined) {
        throw new Exit(ExitCode.BadFeature, `unknown load option ${name.value}`);
      }
      const endpoint = (await session.config()).endpoints[0] ?? "";
      const callers = await openCallers(session, load.clients, [endpoint]);
      const remedy = `etcdctl del --prefix ${prefix.value}`;
      await refuseUsedPrefix(session, new Kv(callers[0]!), prefix.value, remedy);
      const beforeBytes = await residentBytesOrExit(session, endpoint, "before");
      session.print(
        `Start data scale check for work load [${load.pairs} key-value pairs, ` +
          `${PAIR_BYTES} bytes per key-value, ${load.clients} concurrent clients].\n`,
      );
      const result = await runLoad(session, callers, {
        prefix: prefix.value,
        keyBytes: PAIR_BYTES / 2,
        valueBytes: PAIR_BYTES / 2,
        workers: load.clients,
        next: counter(session, load.pairs),
      });
      const afterBytes = await residentBytesOrExit(session, endpoint, "after");
      await cleanUp(session, callers[0]!, {
        prefix: prefix.value,
        compact: compact.value,
        defrag: defrag.value,
      });
      if (reportErrors(session, result)) throw new Exit(ExitCode.Error);
      const usedMb = (afterBytes - beforeBytes) / 2 ** 20;
      session.print(`PASS: Approximate system memory used : ${usedMb.toFixed(2)} MB.\n`);
    };
  },
};
