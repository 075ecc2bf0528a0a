// `npm start [-- flags]`: install, build if needed, then become a member in this very process.
import { join } from "node:path";
import { prepare, root } from "./build.mjs";

prepare();
process.argv.splice(1, 1, join(root, "bin", "etcd"));
await import("../bin/etcd-main.cjs");
