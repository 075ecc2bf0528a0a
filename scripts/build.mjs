// Compiles TypeScript to dist/. Installs the dependencies first when they are missing.
// Nothing is done when dist/ is newer than every source.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampPath = join(root, "dist", ".built");

/** Makes node_modules/ and dist/ ready; prints to stderr only when there is work to do. */
export function prepare() {
  if (!existsSync(join(root, "node_modules", "typescript"))) {
    console.error("quorate: installing dependencies …");
    // Not `npm ci`: with a lock file that names no registry it refuses packages that exist for other
    // platforms only. Dev dependencies too, whatever NODE_ENV says: the compiler is one.
    run("npm", ["install", "--no-save", "--include=dev", "--no-audit", "--no-fund"]);
  }
  if (isStale()) {
    console.error("quorate: building …");
    rmSync(join(root, "dist"), { recursive: true, force: true });
    run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", root]);
    mkdirSync(dirname(stampPath), { recursive: true });
    writeFileSync(stampPath, "");
  }
}

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

function isStale() {
  if (!existsSync(stampPath)) return true;
  const builtMs = statSync(stampPath).mtimeMs;
  const sources = ["src", "test", "bench", "scripts"].map((name) => join(root, name));
  return (
    ["tsconfig.json", "package.json"].some((name) => changedSince(join(root, name), builtMs)) ||
    sources.some((directory) => treeChangedSince(directory, builtMs))
  );
}

function treeChangedSince(directory, sinceMs) {
  if (!existsSync(directory)) return false;
  return readdirSync(directory, { withFileTypes: true }).some((entry) => {
    const path = join(directory, entry.name);
    if (entry.name.startsWith(".") || entry.name === "node_modules") return false;
    if (entry.isDirectory()) return changedSince(path, sinceMs) || treeChangedSince(path, sinceMs);
    return entry.name.endsWith(".ts") && changedSince(path, sinceMs);
  });
}

function changedSince(path, sinceMs) {
  return statSync(path).mtimeMs > sinceMs;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) prepare();
