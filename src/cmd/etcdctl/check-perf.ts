import { Kv } from "../../client/kv.ts";
import type { Body } from "../flags/command.ts";
import { Exit, ExitCode } from "./exit.ts";
import {
  cleanUp,
  openCallers,
  refuseUsedPrefix,
  reportErrors,
  runLoad,
  type Statistics,
} from "./load.ts";
import { Progress } from "./progress.ts";
import type { Session } from "./session.ts";

interface Workload {
  readonly writesPerSecond: number;
  readonly clients: number;
}

const workloads: Readonly<Record<string, Workload>> = {
  s: { writesPerSecond: 150, clients: 50 },
  m: { writesPerSecond: 1000, clients: 200 },
  l: { writesPerSecond: 8000, clients: 500 },
  xl: { writesPerSecond: 15000, clients: 1000 },
};
const longNames: Readonly<Record<string, string>> = {
  small: "s",
  medium: "m",
  large: "l",
  xLarge: "xl",
};

const DURATION_SECONDS = 60;
const KEY_BYTES = 256;
const VALUE_BYTES = 1024;

/** What a healthy cluster keeps to: nine tenths of the load, and these latencies. */
const THROUGHPUT_SHARE_MIN = 0.9;
const SLOWEST_SECONDS_MAX = 0.5;
const STDDEV_SECONDS_MAX = 0.1;

/** Grants puts evenly: the n-th at its time from the start. */
function pacer(session: Session, { writesPerSecond }: Workload): () => Promise<boolean> {
  const { nowMs, sleep } = session.world;
  const progress = new Progress(session.console, nowMs);
  const startMs = nowMs();
  const total = writesPerSecond * DURATION_SECONDS;
  let granted = 0;
  return async () => {
    if (granted >= total) {
      progress.end();
      return false;
    }
    const dueMs = startMs + (granted++ * 1000) / writesPerSecond;
    const waitMs = dueMs - nowMs();
    if (waitMs > 0) await sleep(waitMs);
    const passedSeconds = Math.floor((nowMs() - startMs) / 1000);
    // A cluster that cannot keep up is measured for as long as one that can.
    if (passedSeconds >= DURATION_SECONDS) granted = total;
    progress.update(passedSeconds, DURATION_SECONDS, `${granted} of ${total} puts`);
    return true;
  };
}

function report(session: Session, result: Statistics, load: Workload): boolean {
  const { perSecond, slowestSeconds, stddevSeconds } = result;
  let ok = true;
  const line = (passes: boolean, pass: string, fail: string): void => {
    ok &&= passes;
    session.print(`${passes ? `PASS: ${pass}` : fail}\n`);
  };
  const throughput = Math.floor(perSecond) + 1;
  line(
    perSecond / load.writesPerSecond > THROUGHPUT_SHARE_MIN,
    `Throughput is ${throughput} writes/s`,
    `FAIL: Throughput too low: ${throughput} writes/s`,
  );
  line(
    slowestSeconds <= SLOWEST_SECONDS_MAX,
    `Slowest request took ${slowestSeconds.toFixed(6)}s`,
    `Slowest request took too long: ${slowestSeconds.toFixed(6)}s`,
  );
  line(
    stddevSeconds <= STDDEV_SECONDS_MAX,
    `Stddev is ${stddevSeconds.toFixed(6)}s`,
    `Stddev too high: ${stddevSeconds.toFixed(6)}s`,
  );
  return ok;
}

export const body: Body<Session> = {
  long: `Puts keys at the rate of a load for a minute and tells whether the cluster keeps up.`,
  prepare(flags) {
    const name = flags.string("load", "s", "s(mall), m(edium), l(arge) or xl (xLarge)");
    const prefix = flags.string("prefix", "/etcdctl-check-perf/", "what the keys begin with");
    const compact = flags.boolean("auto-compact", false, "compact the history afterwards");
    const defrag = flags.boolean("auto-defrag", false, "defragment the members afterwards");
    return async (session) => {
      const load = workloads[longNames[name.value] ?? name.value];
      if (load === undefined) {
        throw new Exit(ExitCode.BadFeature, `unknown load option ${name.value}`);
      }
      const { endpoints } = await session.config();
      const callers = await openCallers(session, load.clients, endpoints);
      const remedy = `'etcdctl del --prefix ${prefix.value}'`;
      await refuseUsedPrefix(session, new Kv(callers[0]!), prefix.value, remedy);
      const result = await runLoad(session, callers, {
        prefix: prefix.value,
        keyBytes: KEY_BYTES,
        valueBytes: VALUE_BYTES,
        workers: load.clients,
        next: pacer(session, load),
      });
      await cleanUp(session, callers[0]!, {
        prefix: prefix.value,
        compact: compact.value,
        defrag: defrag.value,
      });
      const failed = reportErrors(session, result);
      const ok = report(session, result, load) && !failed;
      session.print(ok ? "PASS\n" : "FAIL\n");
      if (!ok) throw new Exit(ExitCode.Error);
    };
  },
};
