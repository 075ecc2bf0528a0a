// The program `etcd`: configuration, start, signals.

import { faultText } from "./fault-text.ts";
import { keepHeapGrowth } from "./heap-growth.ts";
import { Exit, loadConfig, processSurroundings } from "./load-config.ts";

/** By default Node would end without a word to the parent about why. */
const SIGNALS = ["SIGTERM", "SIGINT"] as const;

try {
  const loaded = await loadConfig(processSurroundings(process.argv.slice(2)));
  const { log } = loaded;
  process.on("uncaughtException", (error) => {
    log.fatal("the member cannot go on", { error: error.message, stacktrace: error.stack });
  });
  keepHeapGrowth();
  try {
    // Only now: --version, --help and wrong flags need none of it.
    const { start } = await import("./start.ts");
    const running = await start(loaded);
    let isStopping = false;
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        // A second one must not cut the stop short: under npm, Ctrl-C comes twice.
        if (isStopping) return;
        isStopping = true;
        log.info("received signal; shutting down", { signal: nameOf(signal) });
        running.stop().then(() => {
          // Raised again, so that whoever waits sees that a signal ended us.
          process.removeAllListeners(signal);
          process.kill(process.pid, signal);
        });
      });
    }
  } catch (error) {
    log.fatal("discovery failed", { error: faultText(error as Error) });
  }
} catch (error) {
  if (!(error instanceof Exit)) throw error;
  process.exit(error.code);
}

/** As Go names them. */
function nameOf(signal: (typeof SIGNALS)[number]): string {
  return signal === "SIGTERM" ? "terminated" : "interrupt";
}
