// The program `etcdctl`.

import type { Caller } from "../../client/caller.ts";
import type { ClientOptions } from "../../client/dial.ts";
import { processConsole } from "./console.ts";
import { runEtcdctl } from "./run.ts";
import type { World } from "./session.ts";

async function open(options: ClientOptions): Promise<Caller> {
  const { dial } = await import("../../client/dial.ts");
  return dial(options);
}

const world: World = {
  console: processConsole(),
  environment: process.env,
  open,
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  interrupted: () =>
    new Promise((resolve) => {
      process.once("SIGINT", () => resolve());
      process.once("SIGTERM", () => resolve());
    }),
  nowMs: () => performance.now(),
};

process.exit(await runEtcdctl(process.argv.slice(2), world));
