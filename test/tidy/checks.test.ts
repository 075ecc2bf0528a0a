// The checks must be able to fail: violations are planted here, in strings, beside what is allowed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkBans, checkLockFile, checkText } from "./bans.ts";
import { checkCycles, checkImports, importsOf } from "./layers.ts";
import { checkSizes, functionsOf } from "./sizes.ts";
import { sourceFile, type Violation } from "./source-file.ts";

function lines(violations: readonly Violation[]): number[] {
  return violations.map((one) => one.line);
}

const bans = (path: string, text: string) => lines(checkBans(sourceFile(path, text)));
const imports = (path: string, text: string) => lines(checkImports(sourceFile(path, text)));

test("only code is code", () => {
  const text = [
    "const a = 'x // y'; // comment {",
    "const b = `outer $" + "{ {c: `inner $" + "{d}`} } tail`; /* { */",
    "const e = /[/]{\"'`/g; const f = a / b / c;",
    'const g = "\\"{";',
  ].join("\n");
  const { code } = sourceFile("src/base/a.ts", text);
  assert.equal(code.length, text.length);
  assert.equal(code.split("{").length, code.split("}").length);
  for (const hidden of ["comment", "x //", "outer", "inner", "tail"])
    assert.ok(!code.includes(hidden));
  for (const kept of ["const b", "c:", "d  }", "f = a / b / c", "const g"]) {
    assert.ok(code.includes(kept), kept);
  }
});

test("imports of every form are seen", () => {
  const text = [
    'import a from "./a.ts";',
    "import {",
    "  b,",
    '} from "./b.ts";',
    'import type { C } from "./c.ts";',
    'import "./d.ts";',
    'const e = await import("./e.ts");',
    'export type { F } from "./f.ts";',
    'const text = "import x from y";',
    'export const not = from("./not.ts");',
  ].join("\n");
  const found = importsOf(sourceFile("src/base/x.ts", text));
  assert.deepEqual(
    found.map(({ specifier, typeOnly }) => `${specifier}${typeOnly ? " type" : ""}`),
    ["./a.ts", "./b.ts", "./c.ts type", "./d.ts", "./e.ts", "./f.ts type"],
  );
});

const allowed: readonly (readonly [string, string])[] = [
  ["src/wire/a.ts", "../base/b.ts"],
  ["src/wire/messages/a.ts", "../protobuf/b.ts"],
  ["src/storage/backend.ts", "./bolt/db.ts"],
  ["src/storage/bolt/db.ts", "./page.ts"],
  ["src/state/apply.ts", "../storage/backend.ts"],
  ["src/state/mvcc/a.ts", "../b.ts"],
  ["src/api/kv.ts", "../server/member.ts"],
  ["src/client/a.ts", "../net/grpc-client.ts"],
  ["src/cmd/etcd/start.ts", "../../net/server.ts"],
  ["src/raft/raft.test.ts", "../../test/simulation/world.ts"],
  ["src/cmd/etcd/config-file.ts", "yaml"],
  ["src/state/x.test.ts", "fast-check"],
];

for (const [path, target] of allowed) {
  test(`${path} may import ${target}`, () => {
    assert.deepEqual(imports(path, `import { x } from "${target}";`), []);
  });
}

const forbidden: readonly (readonly [string, string])[] = [
  ["src/base/a.ts", "../wire/b.ts"],
  ["src/raft/a.ts", "../io/io.ts"],
  ["src/raft/a.ts", "../net/server.ts"],
  ["src/storage/bolt/db.ts", "../backend.ts"],
  ["src/storage/bolt/db.ts", "../../wire/errors.ts"],
  ["src/state/a.ts", "../raft/raft.ts"],
  ["src/state/a.ts", "../io/io.ts"],
  ["src/api/kv.ts", "../net/server.ts"],
  ["src/net/server.ts", "../api/kv.ts"],
  ["src/server/a.ts", "../api/kv.ts"],
  ["src/wire/a.ts", "../base/b.js"],
  ["src/wire/a.ts", "../base/b"],
  ["src/wire/a.ts", "../base/b.test.ts"],
  ["src/wire/a.ts", "../../test/simulation/world.ts"],
  ["src/wire/a.ts", "../other/b.ts"],
  ["src/wire/a.ts", "yaml"],
  ["src/cmd/etcd/a.ts", "express"],
];

for (const [path, target] of forbidden) {
  test(`${path} may not import ${target}`, () => {
    assert.deepEqual(imports(path, `// one\nimport { x } from "${target}";`), [2]);
    assert.deepEqual(imports(path, `\n\nconst x = import("${target}");`), [3]);
  });
}

test("cycles are found, those of types are none", () => {
  const file = (name: string, text: string) => sourceFile(`src/base/${name}.ts`, text);
  const loop = [
    file("a", 'import { b } from "./b.ts";'),
    file("b", 'import { c } from "./c.ts";'),
    file("c", 'import { a } from "./a.ts";'),
  ];
  const found = checkCycles(loop);
  assert.equal(found.length, 1);
  assert.match(found[0]!.what, /a\.ts > src\/base\/b\.ts > src\/base\/c\.ts > src\/base\/a\.ts/);
  loop[2] = file("c", 'import type { A } from "./a.ts";');
  assert.deepEqual(checkCycles(loop), []);
});

const body = (count: number) => "  x();\n".repeat(count);

const functions: readonly (readonly [string, string])[] = [
  ["function", `function f(a: number) {\n${body(70)}}`],
  ["return type", `function f(\n  a: number,\n): Map<string, number> {\n${body(67)}}`],
  ["method", `class A {\n  async m(): Promise<void> {\n${body(70)}  }\n}`],
  ["constructor", `class A {\n  constructor() {\n${body(70)}  }\n}`],
  ["arrow", `const f = (a = g({ b: 1 })) => {\n${body(70)}};`],
  ["bare arrow", `list.map((x) => x).filter(one => {\n${body(70)}});`],
  ["arrow of a type", `const f = (a: A): B => {\n${body(70)}};`],
  ["getter", `class A {\n  get x(): number {\n${body(70)}  }\n}`],
];

for (const [name, text] of functions) {
  test(`a long function is found: ${name}`, () => {
    const what = checkSizes(sourceFile("src/base/a.ts", text)).map((one) => one.what);
    assert.equal(what.length, 1);
    assert.match(what[0]!, /^function of 7\d lines/);
    const shorter = text.replace(body(2), "");
    assert.deepEqual(checkSizes(sourceFile("src/base/a.ts", shorter)), []);
  });
}

test("what is long but no function is left alone", () => {
  const texts = [
    `export const table = {\n${'  a: "b",\n'.repeat(90)}};`,
    `export interface A {\n${"  a: string;\n".repeat(90)}}`,
    `class A {\n${"  m() {\n    x();\n  }\n".repeat(40)}}`,
    `if (a) {\n${body(90)}}`,
    `for (const a of b(c)) {\n${body(90)}}`,
    `switch (f(a)) {\n${body(90)}}`,
  ];
  for (const text of texts) assert.deepEqual(checkSizes(sourceFile("src/base/a.ts", text)), []);
  assert.equal(functionsOf("if (a) { b(); } else { (c) => { d(); } }").length, 1);
});

test("lines and files have a limit, texts that cannot be broken have not", () => {
  const size = (path: string, text: string) => checkSizes(sourceFile(path, text)).length;
  assert.equal(size("src/base/a.ts", `const a = ${"b + ".repeat(30)}c;`), 1);
  assert.equal(size("src/base/a.ts", `// ${"word ".repeat(30)}`), 1);
  assert.equal(size("src/base/a.ts", `  "${"x".repeat(120)}",`), 0);
  assert.equal(size("src/base/a.ts", "a();\n".repeat(501)), 1);
  assert.equal(size("src/base/a.ts", "a();\n".repeat(500)), 0);
  assert.equal(size("src/base/a.test.ts", "a();\n".repeat(501)), 0);
  assert.equal(size("src/base/a.test.ts", "a();\n".repeat(1001)), 1);
  assert.equal(size("src/wire/messages/a.ts", "a();\n".repeat(9000)), 0);
});

const doors = [
  "const t = Date.now();",
  "const t = new Date();",
  "performance.now();",
  "setTimeout(f, 1);",
  "setImmediate(f);",
  "queueMicrotask(f);",
  "const r = Math.random();",
  "const r = crypto.randomBytes(8);",
  'import { randomUUID } from "node:crypto";',
  'import { readFileSync } from "node:fs";',
  'import { readFile } from "node:fs/promises";',
  'import net from "net";',
  'const tls = await import("node:tls");',
  'import { exec } from "node:child_process";',
];

for (const text of doors) {
  test(`only through the doors: ${text}`, () => {
    assert.deepEqual(bans("src/api/a.ts", `// a\n${text}`), [2]);
    assert.deepEqual(bans("src/io/a.ts", text), []);
    assert.deepEqual(bans("src/net/a.ts", text), []);
    assert.deepEqual(bans("src/api/a.test.ts", text), []);
  });
}

test("words that only look like doors are no doors", () => {
  const texts = [
    "clock.setTimeout(f);",
    "// Date.now()",
    'const a = "new Date()";',
    "x = { Date: 1 }",
  ];
  for (const text of texts) assert.deepEqual(bans("src/api/a.ts", text), []);
});

test("nothing waits in the pure parts", () => {
  for (const text of ["async function f() {}", "await g();", "const p: Promise<void> = h();"]) {
    for (const path of ["src/raft/a.ts", "src/state/b/a.ts", "src/storage/bolt/a.ts"]) {
      assert.deepEqual(bans(path, text), [1]);
    }
    assert.deepEqual(bans("src/storage/wal/a.ts", text), []);
  }
});

test("exports have names, and are made where they are exported", () => {
  for (const text of [
    "export default 1;",
    'export * from "./b.ts";',
    'export { a } from "./b.ts";',
  ]) {
    assert.deepEqual(bans("src/base/a.ts", text), [1]);
  }
  assert.deepEqual(bans("src/base/a.ts", "export { a, b };"), []);
  assert.deepEqual(bans("src/base/a.ts", "const r = new WeakRef(x);"), [1]);
});

test("holes in the types", () => {
  for (const text of ["a as any;", "let a: any;", "f<any>(b);", "let a: Map<string, any>;"]) {
    assert.deepEqual(bans("src/base/a.ts", text), [1], text);
    assert.deepEqual(bans("test/a.ts", text), [1], text);
  }
  for (const text of ["const any = 1;", "list.any(x);", "// as any", "f(any);"]) {
    assert.deepEqual(bans("src/base/a.ts", text), [], text);
  }
});

test("tests that do not run", () => {
  const words = ["only", "skip", "todo"];
  for (const word of words) {
    assert.deepEqual(bans("src/base/a.test.ts", `test.${word}("a", () => {});`), [1]);
    assert.deepEqual(bans("test/a.test.ts", `test("a", { ${word}: true }, () => {});`), [1]);
  }
  assert.deepEqual(bans("test/a.test.ts", "list.skip(3); const x = { skip };"), []);
});

test("notes to oneself, suppressions, places", () => {
  const home = ["/ho", "me/someone/x"].join("");
  for (const text of [`// TO${"DO"}: later`, `// @ts-ig${"nore"}`, `const a = "${home}";`]) {
    assert.deepEqual(lines(checkText({ path: "docs/a.md", text: `\n${text}` })), [2]);
  }
  const text = "/v3/kv/range ../work/x autodo methodology";
  assert.deepEqual(checkText({ path: "docs/a.md", text }), []);
});

test("hosts in the lock file", () => {
  const text = '{\n  "resolved": "https://registry.example/x"\n}';
  assert.ok(checkLockFile("package-lock.json", text).length > 0);
  assert.deepEqual(checkLockFile("package-lock.json", '{ "integrity": "sha512-x" }'), []);
});
