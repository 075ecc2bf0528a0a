// What `--version` says. The first line is etcd's, because programs read their answers by it: the
// version of etcd whose interfaces these are. Our own version has a line of its own.

import { SERVER_VERSION } from "../../server/options.ts";

/** As in package.json. */
export const PRODUCT_VERSION = "0.1.0";

/** Go's names of processors, which is what people compare. */
const architectures: Readonly<Record<string, string>> = {
  x64: "amd64",
  ia32: "386",
  loong64: "loong64",
};

export function architectureName(): string {
  return architectures[process.arch] ?? process.arch;
}

export function runtimeName(): string {
  return `none (Node.js ${process.version})`;
}

export function versionText(): string {
  return [
    `etcd Version: ${SERVER_VERSION}`,
    "Git SHA: none (Quorate, etcd in TypeScript)",
    `Go Version: ${runtimeName()}`,
    `Go OS/Arch: ${process.platform}/${architectureName()}`,
    `Quorate Version: ${PRODUCT_VERSION}`,
    "",
  ].join("\n");
}
