import assert from "node:assert/strict";
import { test } from "node:test";
import type { Body, Command } from "./command.ts";
import { complete } from "./complete.ts";
import { completionBody, completionScript } from "./completion.ts";
import { editDistance, execute } from "./execute.ts";
import { FlagSet } from "./flag-set.ts";

interface Call {
  name: string;
  args: string[];
  flags: Record<string, unknown>;
}

interface Outcome {
  code: number;
  out: string;
  err: string;
  calls: Call[];
}

function leaf(name: string, more: Partial<Body<Call[]>> = {}): () => Promise<Body<Call[]>> {
  return async () => ({
    prepare(flags) {
      const limit = flags.integer("limit", 0n, "at most `count` keys");
      const prefix = flags.boolean("prefix", false, "all keys that begin with <key>");
      return async (calls, args) => {
        calls.push({ name, args, flags: { limit: limit.value, prefix: prefix.value } });
      };
    },
    ...more,
  });
}

function tree(): Command<Call[]> {
  const persistent = new FlagSet();
  persistent.string("write-out", "simple", "format", { short: "w", hidden: true });
  persistent.boolean("debug", false, "", { hidden: true });
  const cluster = new FlagSet();
  cluster.boolean("cluster", false, "all members");
  return {
    name: "tool",
    short: "A tool.",
    footer: "That is all.",
    persistent,
    groups: [
      { id: "keys", title: "Key commands" },
      { id: "more", title: "More commands" },
    ],
    commands: [
      { name: "get", short: "Gets", arguments: "<key>", group: "keys", load: leaf("get") },
      { name: "put", short: "Puts", group: "keys", load: leaf("put") },
      {
        name: "compaction",
        aliases: ["compact"],
        short: "Compacts",
        group: "keys",
        load: leaf("compaction"),
      },
      {
        name: "endpoint",
        short: "Endpoints",
        group: "more",
        persistent: cluster,
        commands: [
          { name: "status", short: "State", load: leaf("status") },
          { name: "secret", short: "?", hidden: true, load: leaf("secret") },
        ],
      },
      {
        name: "completion",
        arguments: "[bash]",
        short: "Script",
        group: "more",
        withoutFlagsInUsage: true,
        load: async () => completionBody("tool", () => {}),
      },
    ],
  };
}

async function run(...words: string[]): Promise<Outcome> {
  const outcome: Outcome = { code: -1, out: "", err: "", calls: [] };
  const streams = {
    out: (text: string) => {
      outcome.out += text;
    },
    err: (text: string) => {
      outcome.err += text;
    },
  };
  outcome.code = await execute(tree(), words, streams, () => outcome.calls);
  return outcome;
}

test("the command is found between flags", async () => {
  for (const words of [
    ["get", "k", "--limit=2", "-w", "json"],
    ["-w", "json", "get", "--limit", "2", "k"],
    ["--write-out=json", "--debug", "get", "k", "--limit=2"],
  ]) {
    const { code, calls } = await run(...words);
    assert.equal(code, 0);
    assert.deepEqual(calls, [{ name: "get", args: ["k"], flags: { limit: 2n, prefix: false } }]);
  }
});

test("aliases, nested and hidden commands run", async () => {
  assert.equal((await run("compact", "5")).calls[0]?.name, "compaction");
  assert.equal((await run("endpoint", "--cluster", "status")).calls[0]?.name, "status");
  assert.equal((await run("endpoint", "secret")).calls[0]?.name, "secret");
});

test("a flag nobody knows swallows the next word, as in cobra", async () => {
  const { code, err } = await run("--nosuch", "get", "foo");
  assert.equal(code, 1);
  assert.equal(err, 'Error: unknown command "foo" for "tool"\nRun \'tool --help\' for usage.\n');
});

test("unknown commands get suggestions", async () => {
  assert.equal(
    (await run("pt")).err,
    'Error: unknown command "pt" for "tool"\n\nDid you mean this?\n\tget\n\tput\n\n' +
      "Run 'tool --help' for usage.\n",
  );
  assert.match((await run("CO")).err, /\tcompaction\n\tcompletion\n/);
  assert.doesNotMatch((await run("nosuch")).err, /Did you mean/);
});

test("a group without a command prints its help, with one that is not there, too", async () => {
  for (const words of [["endpoint"], ["endpoint", "nosuch"], ["endpoint", "--help"]]) {
    const { code, out, err } = await run(...words);
    assert.equal(code, 0);
    assert.equal(err, "");
    assert.equal(
      out,
      `Endpoints

Usage:
  tool endpoint [command]

Available Commands:
  status      State

Flags:
      --cluster   all members
  -h, --help      help for endpoint

Use "tool endpoint [command] --help" for more information about a command.
That is all.
`,
    );
  }
});

test("help of a command, in both spellings", async () => {
  const expected = `Gets

Usage:
  tool get <key> [flags]

Flags:
  -h, --help          help for get
      --limit count   at most count keys
      --prefix        all keys that begin with <key>
That is all.
`;
  assert.equal((await run("get", "-h")).out, expected);
  assert.equal((await run("help", "get")).out, expected);
  assert.deepEqual((await run("get", "-h")).calls, []);
});

test("flags of a group are global flags of its commands", async () => {
  const { out } = await run("endpoint", "status", "--help");
  assert.match(out, /\nGlobal Flags:\n {6}--cluster {3}all members\n/);
});

test("the root lists its commands by group", async () => {
  for (const words of [[], ["help"], ["--help"], ["-h"]]) {
    const { code, out } = await run(...words);
    assert.equal(code, 0);
    assert.equal(
      out,
      `A tool.

Usage:
  tool [command]

Key commands
  compaction  Compacts
  get         Gets
  put         Puts

More commands
  completion  Script
  endpoint    Endpoints
  help        Help about any command

Use "tool [command] --help" for more information about a command.
That is all.
`,
    );
  }
});

test("help about a topic that is not there goes to standard error", async () => {
  const { code, out, err } = await run("help", "nosuch");
  assert.deepEqual([code, out], [0, ""]);
  assert.match(err, /^Unknown help topic \[`nosuch`\]\nUsage:\n/);
});

test("errors of usage are followed by the usage", async () => {
  const { code, out, err, calls } = await run("get", "k", "--nosuch");
  assert.deepEqual([code, out, calls], [1, "", []]);
  assert.match(
    err,
    /^Error: unknown flag: --nosuch\nUsage:\n {2}tool get <key> \[flags\]\n\nFlags:/,
  );
  assert.match(err, /\n\n$/);
  const { err: wrong } = await run("completion", "tcsh");
  assert.match(wrong, /^Error: invalid argument "tcsh" for "tool completion"\nUsage:\n/);
  assert.match(wrong, /\n {2}tool completion \[bash\]\n/);
  assert.match((await run("completion")).err, /^Error: accepts 1 arg\(s\), received 0\n/);
});

test("edit distance", () => {
  assert.equal(editDistance("pt", "put"), 1);
  assert.equal(editDistance("pt", "get"), 2);
  assert.equal(editDistance("", "abc"), 3);
  assert.equal(editDistance("kitten", "sitting"), 3);
});

test("completion of commands, flags and values", async () => {
  assert.equal(await complete(tree(), ["co"]), "compaction\tCompacts\ncompletion\tScript\n:4\n");
  assert.equal(await complete(tree(), ["endpoint", ""]), "status\tState\n:4\n");
  assert.equal(
    await complete(tree(), ["get", "--pre"]),
    "--prefix\tall keys that begin with <key>\n:4\n",
  );
  assert.equal(await complete(tree(), ["completion", "b"]), "bash\n:4\n");
  assert.equal(await complete(tree(), ["get", "--limit", ""]), ":0\n");
  assert.equal(await complete(tree(), ["get", ""]), ":0\n");
});

test("completion scripts name the program and ask it", () => {
  for (const shell of ["bash", "zsh", "fish", "powershell"] as const) {
    const script = completionScript(shell, "tool");
    assert.ok(script.includes(`# ${shell} completion for tool   `));
    assert.ok(script.includes("__complete"));
    assert.ok(!script.includes("undefined"));
  }
});
