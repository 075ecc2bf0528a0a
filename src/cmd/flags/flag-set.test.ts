import assert from "node:assert/strict";
import { test } from "node:test";
import { type Flag, FlagError, FlagSet } from "./flag-set.ts";

interface Flags {
  set: FlagSet;
  prefix: Flag<boolean>;
  interactive: Flag<boolean>;
  writeOut: Flag<string>;
  limit: Flag<bigint>;
  max: Flag<bigint>;
  timeout: Flag<number>;
  endpoints: Flag<readonly string[]>;
}

function define(): Flags {
  const set = new FlagSet();
  return {
    set,
    prefix: set.boolean("prefix", false, ""),
    interactive: set.boolean("interactive", false, "", { short: "i" }),
    writeOut: set.string("write-out", "simple", "", { short: "w" }),
    limit: set.integer("limit", 0n, ""),
    max: set.unsigned("max-txn-ops", 128n, ""),
    timeout: set.durationNs("command-timeout", 5e9, ""),
    endpoints: set.strings("endpoints", ["127.0.0.1:2379"], ""),
  };
}

function failure(words: string[]): string {
  try {
    define().set.parse(words);
  } catch (error) {
    assert.ok(error instanceof FlagError);
    return error.message;
  }
  return assert.fail(`${words.join(" ")} was accepted`);
}

test("all ways to write a flag", () => {
  const ways: [string[], string][] = [
    [["--write-out=json"], "json"],
    [["--write-out", "json"], "json"],
    [["-w", "json"], "json"],
    [["-wjson"], "json"],
    [["-w=json"], "json"],
    [["-iw", "json"], "json"],
    [["-iwjson"], "json"],
    [["--write-out="], ""],
    // One letter after "=" is no value: the value is "=" then, as in pflag.
    [["-w="], "="],
  ];
  for (const [words, expected] of ways) {
    const { set, writeOut } = define();
    set.parse([...words, "key"]);
    assert.equal(writeOut.value, expected, words.join(" "));
    assert.equal(writeOut.changed, true);
    assert.deepEqual(set.args, ["key"]);
  }
});

test("flags and arguments mix until --", () => {
  const { set, prefix, limit } = define();
  set.parse(["a", "--prefix", "-", "--limit", "-3", "--", "--limit=9", "b"]);
  assert.deepEqual(set.args, ["a", "-", "--limit=9", "b"]);
  assert.equal(set.argsBeforeDash, 2);
  assert.equal(prefix.value, true);
  assert.equal(limit.value, -3n);
  set.parse(["x"]);
  assert.deepEqual([set.args, set.argsBeforeDash], [["x"], -1]);
});

test("values of each type", () => {
  const { set, prefix, limit, max, timeout, endpoints } = define();
  set.parse([
    "--prefix=false",
    "--limit=0x10",
    "--max-txn-ops=1_000",
    "--command-timeout=1m30s",
    '--endpoints=a:1,"b,c:2"',
    "--endpoints=d:3",
  ]);
  assert.equal(prefix.value, false);
  assert.equal(limit.value, 16n);
  assert.equal(max.value, 1000n);
  assert.equal(timeout.value, 90e9);
  // The first use replaces the default, the next one adds.
  assert.deepEqual(endpoints.value, ["a:1", "b,c:2", "d:3"]);
  assert.equal(endpoints.text(), "[a:1,b,c:2,d:3]");
  assert.equal(timeout.text(), "1m30s");
});

test("lists may be empty, and may have empty members", () => {
  for (const [text, expected] of [
    ["", []],
    [" ", [" "]],
    [",", ["", ""]],
  ] as const) {
    const { set, endpoints } = define();
    set.parse([`--endpoints=${text}`]);
    assert.deepEqual(endpoints.value, expected);
  }
});

test("errors in the words of pflag", () => {
  const cases: [string[], string][] = [
    [["--nosuch"], "unknown flag: --nosuch"],
    [["--nosuch=1"], "unknown flag: --nosuch"],
    [["-x"], "unknown shorthand flag: 'x' in -x"],
    [["-ixy"], "unknown shorthand flag: 'x' in -xy"],
    [["--limit"], "flag needs an argument: --limit"],
    [["-w"], "flag needs an argument: 'w' in -w"],
    [["-iw"], "flag needs an argument: 'w' in -w"],
    [["--=x"], "bad flag syntax: --=x"],
    [["---x"], "bad flag syntax: ---x"],
    [
      ["--limit=abc"],
      'invalid argument "abc" for "--limit" flag: strconv.ParseInt: parsing "abc": invalid syntax',
    ],
    [
      ["-i=maybe"],
      'invalid argument "maybe" for "-i, --interactive" flag: ' +
        'strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    [
      ["--command-timeout=5"],
      'invalid argument "5" for "--command-timeout" flag: time: missing unit in duration "5"',
    ],
    [
      ["--max-txn-ops=x"],
      'invalid argument "x" for "--max-txn-ops" flag: ' +
        'strconv.ParseUint: parsing "x": invalid syntax',
    ],
  ];
  for (const [words, message] of cases) assert.equal(failure(words), message);
});
