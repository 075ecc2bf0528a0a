// Builds the programs of others that judge ours (etcd, etcdctl, etcdutl, bbolt, benchmark, h2spec)
// from the Go module proxy, at the versions pinned in test/compat, and our own Go program that uses
// etcd's client, into a cache outside the checkout.
//
//   node scripts/stock.mjs                 build what is missing, print the paths as JSON
//   node scripts/stock.mjs --only 3.7      one set only, see SETS below (may be repeated)
//   node scripts/stock.mjs --compat        those that `npm run compat` needs
//   node scripts/stock.mjs --list          print the paths, build nothing
//
// The cache is $QUORATE_STOCK_DIR, otherwise <tmp>/quorate-stock. A set's folder name carries a
// digest of its module files, so changing a pinned version builds anew and never mixes two versions.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const modules = resolve(fileURLToPath(import.meta.url), "../../test/compat");

/** Set → where its module file lies and which program comes from which package. */
const SETS = {
  3.7: {
    folder: "stock",
    programs: {
      etcd: "go.etcd.io/etcd/server/v3",
      etcdctl: "go.etcd.io/etcd/etcdctl/v3",
      etcdutl: "go.etcd.io/etcd/etcdutl/v3",
      bbolt: "go.etcd.io/bbolt/cmd/bbolt",
    },
  },
  3.6: { folder: "stock/v36", programs: { etcd: "go.etcd.io/etcd/server/v3" } },
  h2spec: { folder: "h2spec", programs: { h2spec: "github.com/summerwind/h2spec/cmd/h2spec" } },
  clients: { folder: "go", programs: { go: "quorate/test/compat/go" } },
  benchmark: {
    folder: "stock/benchmark",
    programs: { benchmark: "go.etcd.io/etcd/v3/tools/benchmark" },
  },
};
/** What `npm run compat` needs. */
const COMPAT_SETS = ["3.7", "3.6", "h2spec", "clients"];

/** Where the programs of a set lie (built or not): name → absolute path. */
export function stockPaths(set) {
  const { folder, programs } = SETS[set];
  const hash = createHash("sha256");
  const sources = readdirSync(join(modules, folder)).filter((name) => /\.(go|mod|sum)$/.test(name));
  for (const name of sources.sort()) hash.update(readFileSync(join(modules, folder, name)));
  const digest = hash.digest("hex").slice(0, 12);
  const root = process.env.QUORATE_STOCK_DIR || join(tmpdir(), "quorate-stock");
  const suffix = process.platform === "win32" ? ".exe" : "";
  const target = join(root, `${set}-${digest}`);
  return Object.fromEntries(Object.keys(programs).map((p) => [p, join(target, p + suffix)]));
}

/** Builds what is missing of a set; returns its paths. Throws when the Go toolchain cannot. */
export function buildStock(set) {
  const { folder, programs } = SETS[set];
  const paths = stockPaths(set);
  const missing = Object.keys(paths).filter((name) => !existsSync(paths[name]));
  if (missing.length === 0) return paths;
  console.error(`building ${missing.join(", ")} (${set})`);
  // Built in a folder of their own and renamed, so that two builders at once cannot be caught by a
  // half-written program. All in one go: their packages are compiled side by side.
  const target = resolve(paths[missing[0]], "..");
  const partial = join(target, `.${process.pid}`);
  mkdirSync(partial, { recursive: true });
  // Neither C nor symbols for debuggers, as in etcd's releases: both would take long to make.
  const flags = ["-mod=readonly", "-buildvcs=false", "-ldflags=-s -w"];
  const packages = missing.map((name) => programs[name]);
  const result = spawnSync("go", ["build", ...flags, "-o", `${partial}/`, ...packages], {
    cwd: join(modules, folder),
    env: { ...process.env, GOWORK: "off", CGO_ENABLED: "0" },
    stdio: ["ignore", 2, 2],
  });
  if (result.status === 0) {
    for (const name of missing) renameSync(join(partial, builtName(programs[name])), paths[name]);
  }
  rmSync(partial, { recursive: true, force: true });
  if (result.status !== 0) {
    throw new Error(`go build ${packages} failed: ${result.error ?? `exit ${result.status}`}`);
  }
  return paths;
}

/** As Go names a program: the last word of its package that is no version. */
function builtName(packagePath) {
  const suffix = process.platform === "win32" ? ".exe" : "";
  return basename(packagePath.replace(/\/v\d+$/, "")) + suffix;
}

function main(args) {
  const wanted = args.flatMap((arg, at) => (args[at - 1] === "--only" ? [arg] : []));
  const usual = args.includes("--compat") ? COMPAT_SETS : Object.keys(SETS);
  const sets = wanted.length > 0 ? wanted : usual;
  for (const set of sets) {
    if (!Object.hasOwn(SETS, set)) throw new Error(`no such set: ${set}`);
  }
  const make = args.includes("--list") ? stockPaths : buildStock;
  console.log(JSON.stringify(Object.fromEntries(sets.map((set) => [set, make(set)])), null, 2));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
