// Builds the reference programs (etcd, etcdctl, etcdutl, bbolt, benchmark) from the Go module proxy,
// at the versions pinned in test/compat/stock, into a cache outside the checkout.
//
//   node scripts/stock.mjs                 build what is missing, print the paths as JSON
//   node scripts/stock.mjs --only 3.7      one set only: 3.7, 3.6 or benchmark (may be repeated)
//   node scripts/stock.mjs --list          print the paths, build nothing
//
// The cache is $QUORATE_STOCK_DIR, otherwise <tmp>/quorate-stock. A program's folder name carries a
// digest of its module file, so changing a pinned version builds anew and never mixes two versions.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const modules = resolve(fileURLToPath(import.meta.url), "../../test/compat/stock");

/** Set → where its module file lies and which program comes from which package. */
const SETS = {
  3.7: {
    folder: ".",
    programs: {
      etcd: "go.etcd.io/etcd/server/v3",
      etcdctl: "go.etcd.io/etcd/etcdctl/v3",
      etcdutl: "go.etcd.io/etcd/etcdutl/v3",
      bbolt: "go.etcd.io/bbolt/cmd/bbolt",
    },
  },
  3.6: {
    folder: "v36",
    programs: {
      etcd: "go.etcd.io/etcd/server/v3",
      etcdctl: "go.etcd.io/etcd/etcdctl/v3",
      etcdutl: "go.etcd.io/etcd/etcdutl/v3",
    },
  },
  benchmark: {
    folder: "benchmark",
    programs: { benchmark: "go.etcd.io/etcd/v3/tools/benchmark" },
  },
};

/** Where the programs of a set lie (built or not): name → absolute path. */
export function stockPaths(set) {
  const { folder, programs } = SETS[set];
  const digest = createHash("sha256")
    .update(readFileSync(join(modules, folder, "go.mod")))
    .update(readFileSync(join(modules, folder, "go.sum")))
    .digest("hex")
    .slice(0, 12);
  const root = process.env.QUORATE_STOCK_DIR || join(tmpdir(), "quorate-stock");
  const suffix = process.platform === "win32" ? ".exe" : "";
  const target = join(root, `${set}-${digest}`);
  return Object.fromEntries(Object.keys(programs).map((p) => [p, join(target, p + suffix)]));
}

/** Builds what is missing of a set; returns its paths. Throws when the Go toolchain cannot. */
export function buildStock(set) {
  const { folder, programs } = SETS[set];
  const paths = stockPaths(set);
  for (const [name, target] of Object.entries(paths)) {
    if (existsSync(target)) continue;
    mkdirSync(resolve(target, ".."), { recursive: true });
    console.error(`building ${name} (${set})`);
    // Built under a name of its own and renamed, so that two builders at once cannot be caught by
    // a half-written program.
    const partial = `${target}.${process.pid}`;
    const args = ["build", "-mod=readonly", "-buildvcs=false", "-o", partial, programs[name]];
    const result = spawnSync("go", args, {
      cwd: join(modules, folder),
      env: { ...process.env, GOWORK: "off" },
      stdio: ["ignore", "inherit", "inherit"],
    });
    if (result.status !== 0) {
      rmSync(partial, { force: true });
      throw new Error(`go ${args.join(" ")} failed: ${result.error ?? `exit ${result.status}`}`);
    }
    renameSync(partial, target);
  }
  return paths;
}

function main(args) {
  const wanted = args.flatMap((arg, at) => (args[at - 1] === "--only" ? [arg] : []));
  const sets = wanted.length > 0 ? wanted : Object.keys(SETS);
  for (const set of sets) {
    if (!Object.hasOwn(SETS, set)) throw new Error(`no such set: ${set}`);
  }
  const make = args.includes("--list") ? stockPaths : buildStock;
  console.log(JSON.stringify(Object.fromEntries(sets.map((set) => [set, make(set)])), null, 2));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
