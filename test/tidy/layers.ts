// Folders are layers, and imports go down:
//
//     base < wire < io < net < raft < storage < state < server < api < client < cmd
//
// Some are narrower than their place: raft and state have to stay pure, so that a whole cluster can
// run in a simulator; the engine below the storage knows nothing of etcd; and the API does not know
// how its requests arrived. Only cmd (and tests) put net and api together.

import { dirname, join } from "node:path/posix";
import { isTest, type SourceFile, type Violation, violation } from "./source-file.ts";

const LAYERS = [
  ...["base", "wire", "io", "net", "raft", "storage", "state", "server", "api", "client"],
  "cmd",
];

/** Instead of everything below: itself, and these layers. */
const NARROW: Readonly<Record<string, readonly string[]>> = {
  "src/raft/": ["base", "wire"],
  "src/storage/bolt/": ["base"],
  "src/state/": ["base", "wire", "storage"],
  "src/api/": ["base", "wire", "io", "raft", "storage", "state", "server"],
};

/** Packages, and the folders that may import them. */
const PACKAGES: Readonly<Record<string, string>> = { yaml: "src/cmd/etcd/" };

export interface Import {
  readonly specifier: string;
  readonly position: number;
  /** Types vanish when compiled, and so do cycles made of them. */
  readonly typeOnly: boolean;
}

// `import … from "…"`, `import "…"`, `export … from "…"` at the start of a line, and `import("…")`.
const STATEMENT =
  /^(?:import\s+(?:(?<type>type\s)?[^;"'()=]*?\bfrom\s*)?|export\s+(?<typeOut>type\s+)?(?:\*[^;"']*?|\{[^}]*\}\s*)from\s*)(["'])\s*\3|\bimport\(\s*(["'])\s*\4/gm;

/** Statements and `import()`; the specifier is read from the text, since strings are blank. */
export function importsOf(file: SourceFile): Import[] {
  return [...file.code.matchAll(STATEMENT)].map((match) => {
    const end = match.index + match[0].length;
    const quoted = match[3] ?? match[4]!;
    const from = file.code.lastIndexOf(quoted, end - 2) + 1;
    const { type, typeOut } = match.groups ?? {};
    return {
      specifier: file.text.slice(from, end - 1),
      position: match.index,
      typeOnly: (type ?? typeOut) !== undefined,
    };
  });
}

export function checkImports(file: SourceFile): Violation[] {
  if (!file.path.startsWith("src/")) return [];
  return importsOf(file).flatMap((one) => {
    const what = checkImport(file.path, one.specifier);
    return what === undefined ? [] : [violation(file, one.position, what)];
  });
}

function checkImport(path: string, specifier: string): string | undefined {
  const fromTest = isTest(path);
  if (!specifier.startsWith(".")) {
    if (specifier.startsWith("node:") || fromTest) return undefined;
    const [name = ""] = specifier.split("/");
    const folder = PACKAGES[name];
    if (folder !== undefined && path.startsWith(folder)) return undefined;
    return `package ${specifier} may not be imported here`;
  }
  if (!specifier.endsWith(".ts")) return `${specifier} has to end with .ts`;
  const target = join(dirname(path), specifier);
  if (fromTest) return undefined;
  if (!target.startsWith("src/") || isTest(target)) return `${target} is not for programs`;
  const to = layerOf(target);
  if (to === undefined) return `${target} is in no layer`;
  return mayImport(path, target, to) ? undefined : `${layerOf(path)} may not import ${target}`;
}

function mayImport(path: string, target: string, to: string): boolean {
  const narrow = Object.keys(NARROW).find((folder) => path.startsWith(folder));
  if (narrow !== undefined) return target.startsWith(narrow) || NARROW[narrow]!.includes(to);
  return LAYERS.indexOf(to) <= LAYERS.indexOf(layerOf(path) ?? "");
}

function layerOf(path: string): string | undefined {
  const [, folder] = path.split("/");
  return LAYERS.find((layer) => layer === folder);
}

/** Files that need each other to be loaded; each cycle once, at its first file. */
export function checkCycles(files: readonly SourceFile[]): Violation[] {
  const targets = new Map<string, string[]>();
  for (const file of files) {
    const local = importsOf(file).filter((one) => one.specifier.startsWith(".") && !one.typeOnly);
    targets.set(
      file.path,
      local.map((one) => join(dirname(file.path), one.specifier)),
    );
  }
  const done = new Set<string>();
  const found: Violation[] = [];
  const visit = (path: string, above: readonly string[]): void => {
    const at = above.indexOf(path);
    if (at >= 0) {
      const what = `cycle: ${[...above.slice(at), path].join(" > ")}`;
      found.push({ path, line: 1, what });
      return;
    }
    if (done.has(path)) return;
    for (const target of targets.get(path) ?? []) visit(target, [...above, path]);
    done.add(path);
  };
  for (const path of targets.keys()) visit(path, []);
  return found;
}
