import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { FLAG_CASES } from "../../../test/compat/flags/table.ts";
import type { Fields, Level } from "../../base/log.ts";
import { environmentName } from "./flag.ts";
import { FLAGS } from "./flag-table.ts";
import { IGNORED_FLAGS } from "./flags-member.ts";
import { Exit, type Loaded, loadConfig } from "./load-config.ts";
import { type LoggerOptions, type ProcessLogger, parseLevel } from "./logger.ts";
import { memberOptions } from "./member-options.ts";
import { logStart } from "./start-log.ts";

interface Line {
  readonly level: Level;
  readonly message: string;
  readonly fields: Fields;
}

interface Result {
  readonly loaded: Loaded | undefined;
  readonly code: number | undefined;
  readonly lines: readonly Line[];
  readonly logs: readonly LoggerOptions[];
  readonly stdout: string;
  readonly stderr: string;
}

const root = mkdtempSync(join(tmpdir(), "quorate-config-"));
after(() => rmSync(root, { recursive: true }));
let directories = 0;

/** A set of options that starts, to which a test adds one. */
function valid(...more: string[]): string[] {
  const client = "http://127.0.0.1:21310";
  const peer = "http://127.0.0.1:21311";
  return [
    ...["--data-dir", join(root, `data-${directories++}`)],
    ...["--listen-client-urls", client, "--advertise-client-urls", client],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
    ...["--initial-cluster", `default=${peer}`],
    ...more,
  ];
}

async function load(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Result> {
  const lines: Line[] = [];
  const logs: LoggerOptions[] = [];
  const out = { stdout: "", stderr: "" };
  let loaded: Loaded | undefined;
  let code: number | undefined;
  try {
    loaded = await loadConfig({
      args,
      environment,
      stdout: (text) => {
        out.stdout += text;
      },
      stderr: (text) => {
        out.stderr += text;
      },
      makeLogger: (options) => {
        parseLevel(options.level);
        logs.push(options);
        return recorder(lines);
      },
      resolve: async (name) => {
        if (name === "one.test") return "192.0.2.1";
        throw new Error(`lookup ${name}: no such host`);
      },
    });
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
    code = error.code;
  }
  return { loaded, code, lines, logs, ...out };
}

function recorder(lines: Line[]): ProcessLogger {
  const add =
    (level: Level) =>
    (message: string, fields: Fields = {}) => {
      lines.push({ level, message, fields });
    };
  return {
    debug: add("debug"),
    info: add("info"),
    warn: add("warn"),
    error: add("error"),
    panic: add("panic"),
    fatal(message, fields) {
      add("fatal")(message, fields);
      throw new Exit(1);
    },
    named: () => recorder(lines),
    flush() {},
  };
}

/** What the start gave up with: the error of the last line. */
function reason(result: Result): unknown {
  const last = result.lines.at(-1);
  return last && failure(last);
}

function failure({ fields: { error } }: Line): unknown {
  return error;
}

test("the defaults are etcd's", async () => {
  const { loaded } = await load([]);
  const { config } = loaded!;
  assert.equal(config.name, "default");
  assert.equal(config.dataDir, "default.etcd");
  assert.deepEqual([config.heartbeatMs, config.electionMs], [100, 1000]);
  assert.deepEqual([config.backendBatchIntervalMs, config.backendBatchLimit], [100, 10_000]);
  assert.deepEqual([config.compactionBatchLimit, config.compactionSleepMs], [1000, 10]);
  assert.deepEqual([config.maxRequestBytes, config.maxTxnOps], [1_572_864, 128]);
  assert.equal(config.maxConcurrentStreams, 4_294_967_295);
  assert.equal(config.grpcKeepaliveIntervalMs, 7_200_000);
  assert.equal(config.warningUnaryRequestMs, 300);
  assert.equal(config.backendFreelistType, "map");
  assert.equal(config.initialCluster, "default=http://localhost:2380");
  assert.deepEqual(config.cors, ["*"]);
});

test("there are 117 flags, and 13 that are ignored", () => {
  assert.equal(FLAGS.length, 117);
  assert.equal(IGNORED_FLAGS.length, 13);
});

test("every flag says the same as its variable of the environment", async () => {
  const common = valid();
  const given = new Set(
    common.filter((word) => word.startsWith("--")).map((word) => word.slice(2)),
  );
  const { config: plain } = (await load(common)).loaded!;
  let count = 0;
  for (const { name, good, isLater } of FLAG_CASES) {
    const [flag] = good;
    if (flag === undefined || isLater || given.has(name) || name === "config-file") continue;
    const value = flag.slice(flag.indexOf("=") + 1).replace("<DIR>", root);
    const byFlag = await load([...common, `--${name}=${value}`]);
    const byVariable = await load(common, { [environmentName(name)]: value });
    // Some need others beside them; then the variable is refused with the same words.
    assert.equal(reason(byVariable), reason(byFlag), name);
    assert.deepEqual(byVariable.loaded?.config, byFlag.loaded?.config, name);
    if (byFlag.loaded === undefined) continue;
    if (JSON.stringify(byFlag.loaded.config) !== JSON.stringify(plain)) count++;
  }
  assert.ok(count > 50, `${count} values change something`);
});

test("ignored flags need no value and change nothing", async () => {
  const { loaded } = await load(valid(...IGNORED_FLAGS.map((name) => `--${name}`), "--v=3"));
  assert.notEqual(loaded, undefined);
});

test("one dash is as good as two, and values stand behind a space or =", async () => {
  const { loaded } = await load(
    valid("-max-wals=0x10", "--max-txn-ops", "1_0", "-pre-vote=F", "-socket-reuse-port"),
  );
  const { maxWals, maxTxnOps, preVote, socketReusePort } = loaded!.config;
  assert.deepEqual([maxWals, maxTxnOps, preVote, socketReusePort], [16, 10, false, true]);
});

test("durations, lists and urls are parsed as in Go", async () => {
  const { loaded } = await load(
    valid(
      ...["--backend-batch-interval", "1m1.5s", "--host-whitelist", "b,a,b"],
      ...["--listen-metrics-urls", "http://127.0.0.1:2, http://127.0.0.1:1,http://127.0.0.1:2"],
    ),
  );
  const { backendBatchIntervalMs, hostWhitelist, listenMetricsUrls } = loaded!.config;
  assert.equal(backendBatchIntervalMs, 61_500);
  assert.deepEqual(hostWhitelist, ["a", "b"]);
  assert.deepEqual(
    listenMetricsUrls.map((url) => url.text),
    ["http://127.0.0.1:1", "http://127.0.0.1:2"],
  );
});

const unreadable: readonly (readonly [readonly string[], string])[] = [
  [["--nope=3"], "flag provided but not defined: -nope"],
  [["---x"], "bad flag syntax: ---x"],
  [["--=x"], "bad flag syntax: --=x"],
  [["--name"], "flag needs an argument: -name"],
  [
    ["--backend-batch-interval", "5"],
    'invalid value "5" for flag -backend-batch-interval: parse error',
  ],
  [["--pre-vote=maybe"], 'invalid boolean value "maybe" for -pre-vote: parse error'],
  [["--max-wals", "-1"], 'invalid value "-1" for flag -max-wals: parse error'],
  [
    ["--max-wals=99999999999999999999"],
    'invalid value "99999999999999999999" for flag -max-wals: value out of range',
  ],
  [
    ["--max-concurrent-streams", "4294967296"],
    'invalid value "4294967296" for flag -max-concurrent-streams: ' +
      'strconv.ParseUint: parsing "4294967296": value out of range',
  ],
  [
    ["--quota-backend-bytes", "1.5"],
    'invalid value "1.5" for flag -quota-backend-bytes: parse error',
  ],
  [
    ["--listen-client-urls", "http://foo"],
    'invalid value "http://foo" for flag -listen-client-urls: ' +
      'URL address does not have the form "host:port": http://foo',
  ],
  [
    ["--initial-cluster-state", "foo"],
    'invalid value "foo" for flag -initial-cluster-state: invalid value',
  ],
  [
    ["--v2-deprecation", "foo"],
    'invalid value "foo" for flag -v2-deprecation: invalid value "foo"',
  ],
  [
    ["--feature-gates", "Foo=true"],
    'invalid value "Foo=true" for flag -feature-gates: unrecognized feature gate: Foo',
  ],
  [
    ["--feature-gates", "CompactHashCheck"],
    'invalid value "CompactHashCheck" for flag -feature-gates: missing bool value for CompactHashCheck',
  ],
];

for (const [args, message] of unreadable) {
  test(`exit 2: ${args.join(" ")}`, async () => {
    const result = await load(args);
    assert.equal(result.code, 2);
    assert.equal(result.stderr.split("\n")[0], message);
    assert.match(result.stderr, /^Usage:$/m);
  });
}

const faulty: readonly (readonly [readonly string[], string])[] = [
  [["foo"], '"foo" is not a valid flag'],
  [["--pre-vote", "maybe"], '"maybe" is not a valid flag'],
  [["--version", "foo"], '"foo" is not a valid flag'],
  [
    ["--listen-client-urls", "http://example.com:1"],
    "expected IP in URL for binding (http://example.com:1)",
  ],
  [
    ["--listen-client-urls", "http://127.0.0.1:1"],
    "--advertise-client-urls is required when --listen-client-urls is set explicitly",
  ],
  [
    ["--listen-client-urls", ""],
    "--advertise-client-urls is required when --listen-client-urls is set explicitly",
  ],
  [
    ["--advertise-client-urls", "http://:1"],
    '--advertise-client-urls "http://:1" must be in the format "host:port", ' +
      '"unix:/path/to/socket" or "unixs:/path/to/socket" (unexpected empty host (http://:1))',
  ],
  [
    ["--initial-advertise-peer-urls", "http://:1"],
    '--initial-advertise-peer-urls "http://:1" must be "host:port" (unexpected empty host (http://:1))',
  ],
  [
    ["--discovery-fallback", "proxy"],
    `v2 proxy is deprecated, and --discovery-fallback can't be configured as "proxy"`,
  ],
  [["--heartbeat-interval", "0"], "--heartbeat-interval must be >0 (set to 0ms)"],
  [["--election-timeout", "0"], "--election-timeout must be >0 (set to 0ms)"],
  [
    ["--heartbeat-interval", "300"],
    "--election-timeout[1000ms] should be at least as 5 times as --heartbeat-interval[300ms]",
  ],
  [
    ["--election-timeout", "60000"],
    "--election-timeout[60000ms] is too long, and should be set less than 50000ms",
  ],
  [["--auto-compaction-mode", "foo"], 'unknown auto-compaction-mode "foo"'],
  [["--auto-compaction-mode="], "undefined auto-compaction-mode"],
  [["--logger", "foo"], 'unknown logger option "foo"'],
  [["--log-level", "foo"], 'unrecognized level: "foo"'],
  [["--compact-hash-check-time", "0"], "--compact-hash-check-time must be >0 (set to 0s)"],
  [
    ["--tls-min-version", "TLS1.1"],
    'unexpected TLS version "TLS1.1" (must be one of: TLS1.2, TLS1.3)',
  ],
  [
    ["--tls-min-version", "TLS1.3", "--tls-max-version", "TLS1.2"],
    "min version (TLS1.3) is greater than max version (TLS1.2)",
  ],
  [
    ["--tls-min-version", "TLS1.3", "--cipher-suites", "TLS_AES_128_GCM_SHA256"],
    "cipher suites cannot be configured when only TLS1.3 is enabled",
  ],
  [
    ["--discovery-srv", "x", "--initial-cluster", "x=http://h:1"],
    'multiple discovery or bootstrap flags are set. Choose one of "initial-cluster", ' +
      '"discovery-endpoints" or "discovery-srv"',
  ],
  [["--discovery-token", "x"], "both --discovery-token and --discovery-endpoints must be set"],
  [
    ["--feature-gates", "LeaseCheckpointPersist=true"],
    "enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint",
  ],
];

for (const [args, message] of faulty) {
  test(`exit 1: ${args.join(" ")}`, async () => {
    const result = await load(args);
    assert.equal(result.code, 1);
    assert.equal(result.lines.find((line) => line.message === "Running: ")?.level, "info");
    const verdict = result.lines.find((line) => line.message === "failed to verify flags");
    assert.equal(verdict && failure(verdict), message);
  });
}

const fatal: readonly (readonly [readonly string[], string])[] = [
  [
    ["--auto-compaction-retention", "foo"],
    'error parsing CompactionRetention: time: invalid duration "foo"',
  ],
  [
    ["--auto-compaction-retention", "1.5"],
    'error parsing CompactionRetention: time: missing unit in duration "1.5"',
  ],
  [["--cipher-suites", "FOO"], 'unexpected TLS cipher suite "FOO"'],
  [["--name", "z"], `couldn't find local name "z" in the initial cluster configuration`],
  [
    ["--initial-cluster", "foo"],
    "error setting up initial cluster: URL scheme must be http, https, unix, or unixs: ",
  ],
  [
    ["--initial-cluster", ""],
    `couldn't find local name "default" in the initial cluster configuration`,
  ],
  [
    ["--initial-cluster", "default=http://127.0.0.1:21311,default=http://127.0.0.1:21312"],
    "--initial-cluster has default=http://127.0.0.1:21312 but missing from " +
      "--initial-advertise-peer-urls=http://127.0.0.1:21311 " +
      '(len(["http://127.0.0.1:21311"]) != len(["http://127.0.0.1:21311" "http://127.0.0.1:21312"]))',
  ],
  [
    ["--initial-advertise-peer-urls", "http://127.0.0.1:21311,http://127.0.0.1:21312"],
    "--initial-advertise-peer-urls has http://127.0.0.1:21312 but missing from " +
      "--initial-cluster=default=http://127.0.0.1:21311,default=http://127.0.0.1:21312",
  ],
  [
    ["--initial-cluster", "default=http://localhost:21311"],
    "--initial-cluster has default=http://localhost:21311 but missing from " +
      "--initial-advertise-peer-urls=http://127.0.0.1:21311 " +
      '(resolved urls: "http://127.0.0.1:21311" != "http://localhost:21311")',
  ],
  [
    ["--listen-client-urls", "https://127.0.0.1:21310"],
    "TLS key/cert (--cert-file, --key-file) must be provided for client url " +
      "https://127.0.0.1:21310 with HTTPS scheme",
  ],
  [
    ["--listen-metrics-urls", "https://127.0.0.1:1", "--cert-file=/none", "--key-file=/none"],
    "open /none: no such file or directory",
  ],
  [
    ["--listen-peer-urls", "https://127.0.0.1:21311"],
    "cannot listen on TLS for 127.0.0.1:21311: KeyFile and CertFile are not presented",
  ],
  [
    ["--listen-client-http-urls", "http://127.0.0.1:21310"],
    "cannot bind both --listen-client-urls and --listen-client-http-urls " +
      "on the same url http://127.0.0.1:21310",
  ],
  [["--auth-token=nope"], "auth: invalid auth options"],
  [["--auth-token=Simple"], "auth: invalid auth options"],
  [["--auth-token=simple,x"], "auth: invalid auth options"],
  [["--auth-token=simple,x=1,x=2"], "auth: invalid auth options"],
];

for (const [args, message] of fatal) {
  test(`fatal: ${args.join(" ")}`, async () => {
    const result = await load(valid(...args));
    assert.equal(result.code, 1);
    assert.deepEqual(result.lines.at(-1)?.message, "discovery failed");
    assert.equal(reason(result), message);
  });
}

const refused: readonly string[][] = [
  ["--auto-tls"],
  [
    "--auto-tls",
    "--listen-client-urls=https://127.0.0.1:1",
    "--advertise-client-urls=https://127.0.0.1:1",
  ],
  ["--client-cert-auth", "--trusted-ca-file=ca.pem"],
  ["--auth-token=jwt,pub-key=x"],
  ["--enable-pprof"],
  ["--enable-distributed-tracing"],
  ["--enable-log-rotation", "--log-outputs=/tmp/x"],
  ["--memory-mlock"],
  ["--feature-gates=AllAlpha=true"],
  ["--log-outputs=systemd/journal"],
];

for (const args of refused) {
  test(`not there yet: ${args.join(" ")}`, async () => {
    const result = await load(valid(...args));
    assert.equal(result.code, 1);
    assert.match(String(reason(result)), / is not supported in this version: \w/);
  });
}

test("every flag of a later feature is refused when set, and accepted at its default", async () => {
  const other: Readonly<Record<string, string>> = { bool: "true", string: "x", "[]string": "x" };
  for (const flag of FLAGS) {
    if (flag.later === undefined) continue;
    const initial = flag.kind.show(flag.initial);
    const { goType } = flag.kind;
    const changed = goType === "bool" && flag.initial ? "false" : (other[goType] ?? "7");
    const value = goType === "time.Duration" ? "7s" : changed;
    const parts = value === "" ? [] : [`--${flag.name}=${value}`];
    assert.equal((await load(valid(...parts))).code, 1, flag.name);
    if (goType !== "[]string") {
      assert.equal((await load(valid(`--${flag.name}=${initial}`))).code, undefined, flag.name);
    }
  }
});

for (const kind of ["simple", "simple,x=1", ""]) {
  test(`--auth-token=${kind} is taken`, async () => {
    assert.equal((await load(valid(`--auth-token=${kind}`))).code, undefined);
  });
}

test("the flags of the bootstrap do not matter once there is data", async () => {
  const args = valid(
    "--initial-cluster-state=existing",
    "--initial-cluster=a=http://h:1,b=http://h:2",
  );
  const directory = args[1]!;
  mkdirSync(join(directory, "member", "wal"), { recursive: true });
  writeFileSync(join(directory, "member", "wal", "0000000000000000-0000000000000000.wal"), "");
  const { loaded } = await load(args);
  assert.equal(loaded!.memberInitialized, true);
  assert.equal(loaded!.initialCluster.size, 0);
});

test("variables are taken, told, and lose to nothing", async () => {
  const result = await load([], { ETCD_MAX_WALS: "3", ETCD_FOO: "x", ETCD_NAME: "", PATH: "/" });
  assert.equal(result.loaded!.config.maxWals, 3);
  const told = result.lines.map((line) => `${line.level} ${line.message}`).slice(0, 3);
  assert.deepEqual(told, [
    "info recognized and used environment variable",
    "warn unrecognized environment variable",
    "warn unrecognized environment variable",
  ]);
});

test("a variable and a flag for the same option are a conflict", async () => {
  const result = await load(["--name", "b"], { ETCD_NAME: "a" });
  assert.equal(result.code, 1);
  assert.equal(result.lines.at(-1)!.level, "fatal");
  assert.equal(result.lines.at(-1)!.fields["environment-variable"], "ETCD_NAME");
  assert.match(result.lines.at(-1)!.message, /^conflicting environment variable is shadowed/);
});

test("a wrong variable is told by its name", async () => {
  const result = await load([], { ETCD_MAX_WALS: "x" });
  assert.equal(reason(result), 'invalid value "x" for ETCD_MAX_WALS: parse error');
  assert.equal(environmentName("backend-bbolt-freelist-type"), "ETCD_BACKEND_BBOLT_FREELIST_TYPE");
});

test("ETCD_VERSION is warned of and does not print the version", async () => {
  const result = await load([], { ETCD_VERSION: "3.7" });
  assert.notEqual(result.loaded, undefined);
  assert.equal(result.lines[0]!.message, "cannot set special environment variable");
});

test("--version says etcd's version first", async () => {
  const result = await load(["--version"]);
  assert.equal(result.code, 0);
  assert.match(
    result.stdout,
    /^etcd Version: 3\.7\.3\nGit SHA: .*\nGo Version: .*\nGo OS\/Arch: \w+\/\w+\n/,
  );
});

test("--help lists every flag with its default", async () => {
  const result = await load(["-h"]);
  assert.equal(result.code, 0);
  for (const flag of FLAGS) assert.match(result.stdout, new RegExp(`^  --${flag.name} '`, "m"));
  assert.match(result.stderr, /^Usage:/);
});

test("files that are no certificate are told before anything listens", async () => {
  const path = join(root, "garbage.pem");
  writeFileSync(path, "garbage");
  const url = "https://127.0.0.1:21310";
  const result = await load(
    valid("--listen-client-urls", url, "--cert-file", path, "--key-file", path),
  );
  assert.match(String(reason(result)), /garbage\.pem and .*garbage\.pem: /);
});

test("proxies are refused", async () => {
  for (const command of ["gateway", "grpc-proxy"]) {
    const result = await load([command, "start"]);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /not supported in this version/);
  }
});

test("a name alone names the cluster of one, too", async () => {
  const { loaded } = await load(["--name", "infra0", "--data-dir", join(root, "infra0")]);
  assert.equal(loaded!.config.initialCluster, "infra0=http://localhost:2380");
  assert.deepEqual([...loaded!.initialCluster.keys()], ["infra0"]);
});

test("urls that differ in spelling are compared by address", async () => {
  const { loaded } = await load(
    valid("--initial-cluster", "default=http://one.test:21311").concat(
      "--initial-advertise-peer-urls",
      "http://192.0.2.1:21311",
    ),
  );
  assert.notEqual(loaded, undefined);
});

test("the start tells the configuration by the names of the flags", async () => {
  const { loaded } = await load(valid("--snapshot-catchup-entries", "1000"));
  const lines: Line[] = [];
  logStart(loaded!, recorder(lines));
  const { fields } = lines.find((line) => line.message === "starting an etcd server")!;
  assert.equal(fields["snapshot-catchup-entries"], 1000);
  assert.equal(fields["election-timeout"], "1s");
  assert.equal(fields["initial-cluster"], "default=http://127.0.0.1:21311");
  assert.equal(fields["discovery-dial-timeout"], "2s");
  assert.equal(Object.keys(fields).length, 58);
});

test("the member's part of the configuration", async () => {
  const { loaded } = await load(valid("--bootstrap-defrag-threshold-megabytes", "3"));
  const { initialCluster } = loaded!;
  const options = memberOptions(loaded!, { initialCluster, joined: undefined });
  assert.deepEqual(options.initialCluster.get("default"), ["http://127.0.0.1:21311"]);
  assert.equal(options.walDir, undefined);
  assert.equal(options.bootstrapDefragThresholdBytes, 3 * 1024 * 1024);
});

// ---------------------------------------------------------------- files

const basis = [
  "listen-client-urls: http://127.0.0.1:21310",
  "advertise-client-urls: http://127.0.0.1:21310",
  "listen-peer-urls: http://127.0.0.1:21311",
  "initial-advertise-peer-urls: http://127.0.0.1:21311",
  "initial-cluster: x=http://127.0.0.1:21311",
  "name: x",
];

async function loadFile(...more: string[]): Promise<Result> {
  const path = join(root, `config-${directories++}.yml`);
  const lines = [...basis, `data-dir: ${path}.data`, ...more];
  writeFileSync(path, lines.join("\n"));
  return load(["--config-file", path, "--name", "ignored"], { ETCD_NAME: "ignored too" });
}

test("a file replaces flags and variables", async () => {
  const result = await loadFile(
    "max-wals: 1.0",
    "quota-backend-bytes: 1e9",
    "pre-vote: off",
    "backend-batch-interval: 20000000",
    "log-outputs: [stdout]",
    "host-whitelist: b,a",
    "snapshot-count:",
    "unknown-key: { a: 1 }",
    "client-transport-security:",
    "  unknown: 1",
    "  client-cert-auth: false",
    "socket-options: { reuse-port: true }",
  );
  const { config } = result.loaded!;
  assert.equal(config.name, "x");
  assert.deepEqual([config.maxWals, config.quotaBackendBytes, config.preVote], [1, 1e9, false]);
  assert.equal(config.backendBatchIntervalMs, 20);
  assert.deepEqual(result.logs.at(-1)!.outputs, ["stdout"]);
  assert.deepEqual(config.hostWhitelist, ["a", "b"]);
  assert.equal(config.snapshotCount, 10_000);
  assert.equal(config.socketReusePort, true);
  assert.ok(result.lines.some((line) => line.message.startsWith("loaded server configuration")));
});

test("a file may be JSON, and given by a variable", async () => {
  const path = join(root, "config.json");
  writeFileSync(path, JSON.stringify({ name: "j", "data-dir": join(root, "j") }));
  const { loaded } = await load([], { ETCD_CONFIG_FILE: path });
  assert.equal(loaded!.config.name, "j");
  assert.equal(loaded!.config.initialCluster, "j=http://localhost:2380");
});

const decode = "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal";
const wrongInFiles: readonly (readonly [string, string])[] = [
  [
    "max-wals: abc",
    `${decode} string into Go struct field configYAML.Config.max-wals of type uint`,
  ],
  [
    "max-wals: -1",
    `${decode} number -1 into Go struct field configYAML.Config.max-wals of type uint`,
  ],
  [
    "backend-batch-interval: 10ms",
    `${decode} string into Go struct field configYAML.Config.backend-batch-interval of type time.Duration`,
  ],
  [
    'pre-vote: "true"',
    `${decode} string into Go struct field configYAML.Config.pre-vote of type bool`,
  ],
  ["name: 5", `${decode} number into Go struct field configYAML.Config.name of type string`],
  ["name: y", `${decode} bool into Go struct field configYAML.Config.name of type string`],
  [
    "log-outputs: stdout",
    `${decode} string into Go struct field configYAML.Config.log-outputs of type []string`,
  ],
  [
    "feature-gates: {Foo: true}",
    `${decode} object into Go struct field configYAML.configJSON.feature-gates of type string`,
  ],
  ["feature-gates: Foo=true", "unrecognized feature gate: Foo"],
  [
    "peer-transport-security: foo",
    `${decode} string into Go struct field configYAML.configJSON.peer-transport-security ` +
      "of type embed.securityConfig",
  ],
  ["initial-cluster-state: foo", 'unexpected clusterState "foo"'],
  ["discovery-config: {token: x}", "both --discovery-token and --discovery-endpoints must be set"],
];

for (const [line, message] of wrongInFiles) {
  test(`wrong in a file: ${line}`, async () => {
    const result = await loadFile(line);
    assert.equal(result.code, 1);
    assert.equal(reason(result), message);
  });
}

test("a file with a wrong url, that is no YAML, or is not there", async () => {
  const urls = await loadFile("listen-client-http-urls: foo");
  assert.match(
    urls.stderr,
    /^unexpected error setting up listen-client-http-urls: URL scheme must/,
  );
  const yaml = await loadFile("a: b: c");
  assert.match(String(reason(yaml)), /^error converting YAML to JSON: yaml: /);
  const missing = await load(["--config-file", "/nonexistent"]);
  assert.equal(reason(missing), "open /nonexistent: no such file or directory");
});

test("TLS of clients in a file that has no flag is refused, not ignored", async () => {
  const result = await loadFile("client-transport-security:", "  allowed-cn: [root]");
  assert.match(String(reason(result)), /allowed-cn is not supported in this version/);
});
