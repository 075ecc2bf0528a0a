// The program `etcdutl`: works on files, without a server.

import { NodeClock } from "../../io/node-clock.ts";
import { NodeDisk } from "../../io/node-disk.ts";
import { processConsole } from "../etcdctl/console.ts";
import { runEtcdutl } from "./run.ts";

const world = { console: processConsole(), disk: new NodeDisk(), clock: new NodeClock() };

process.exit(await runEtcdutl(process.argv.slice(2), world));
