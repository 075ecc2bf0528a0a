// What differs between two runs of the same program is replaced by a name: ids, ports, paths,
// times, sizes. Everything else is compared as it is, so each rule here is as narrow as it can be.
//
//     <CLUSTER> <MEMBER> in hex, <…:dec> <…:upper>     <CPORT1> <PPORT1> <DEADPORT> <EPHEMERAL>
//     <LEASE1> by the step that grants it; base64(…) and hex(…) around encoded keys with ids
//     <TTL> what is left of a lease
//     <TMP> <TS> <DURATION> <SIZE> <PCT> <RAFTINDEX> <PTR> <SHA256> <RESOLVER>
//     <HASH> of a whole file (it has ids in it); <STACK> <GOROUTINES> <GRPC-LOG> of Go
//     <USAGE> behind an error, <HELP> a help text: their words are each program's own

import { replaceInTable, tableLength } from "./tables.ts";
import { decodeLoosely, visible } from "./visible.ts";

export interface Places {
  readonly directory: string;
  /** Of the members, and of those that may be added. */
  readonly clientPorts: readonly number[];
  readonly peerPorts: readonly number[];
  readonly deadPort: number;
  readonly clusterId: bigint;
  readonly memberIds: readonly bigint[];
  /** Of the cluster; restored members take it to have the same ids. */
  readonly token: string;
}

type Rule = readonly [RegExp, string];

/** What is left of a lease, in each format, next to what was granted. */
const REMAINING: readonly RegExp[] = [
  /(?<=granted with TTL\((?<granted>\d+)s\), remaining\()(?<left>\d+)/g,
  /(?<="ttl":)(?<left>\d+)(?=,"granted-ttl":(?<granted>\d+))/g,
  /(?<="TTL" : )(?<left>\d+)(?=\n"GrantedTTL" : (?<granted>\d+))/g,
];

/** Between the steps that grant a lease and ask for it. More that is missing is a fault. */
const ELAPSED_SECONDS_MAX = 100;

const TIMES: readonly Rule[] = [
  [/"ts":"[^"]*"/g, '"ts":"<TS>"'],
  [/\b20\d\d[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?/g, "<TS>"],
  [/(?<![\w.<-])\d+(\.\d+)?(ns|\u00b5s|ms)\b/g, "<DURATION>"],
  [/(?<![\w.<-])(\d+m)?\d+\.\d{3,}s\b/g, "<DURATION>"],
];

const SIZES: readonly Rule[] = [
  // Not the default quota, which is the same everywhere.
  [/(?<![\w.<-])(?!2\.1 GB)\d+(\.\d+)? ([kMG]i?)?B\b/g, "<SIZE>"],
  [/(<SIZE>, <SIZE>, )\d+%/g, "$1<PCT>"],
  [/("(?:dbSize|dbSizeInUse|totalSize|db_size|db_size_in_use)":\s*"?)\d+/g, "$1<SIZE>"],
  [/("(?:DBSize|DBSizeInUse|DB size|DB size in use|Total size|TotalSize)" : )\d+/g, "$1<SIZE>"],
  [/("(?:snapshot-)?size":)\d+/g, "$1<SIZE>"],
  [/("current-db-size[a-z-]*-bytes(?:-diff)?": )-?\d+/g, "$1<SIZE>"],
  [/^("Size" : )\d+/g, "$1<SIZE>"],
];

const INDEXES: readonly Rule[] = [
  [/((?:true|false), (?:true|false), \d+, )\d+, \d+, /g, "$1<RAFTINDEX>, <RAFTINDEX>, "],
  [/("(?:raftIndex|raftAppliedIndex|raft_index|raft_applied_index)":\s*"?)\d+/g, "$1<RAFTINDEX>"],
  [/("(?:RaftIndex|RaftAppliedIndex)" : )\d+/g, "$1<RAFTINDEX>"],
  [/[0-9a-f]{16}-[0-9a-f]{16}(?=\.wal\b)/g, "<SEQ>-<SEQ>"],
];

const RUNTIME: readonly Rule[] = [
  [/sha256 \[[\d ]+\], got \[[\d ]+\]/g, "sha256 [<SHA256>], got [<SHA256>]"],
  [/"stacktrace":"(?:[^"\\]|\\.)*"/g, '"stacktrace":"<STACK>"'],
  [/etcd-endpoints:\/\/0x[0-9a-f]+/g, "etcd-endpoints://<PTR>"],
  [/0x[0-9a-f]{9,}(?![0-9a-f])/g, "<PTR>"],
  [/(?<=on )\d+\.\d+\.\d+\.\d+:53\b/g, "<RESOLVER>"],
  [/LocalAddr: '127\.0\.0\.1:\d+'/g, "LocalAddr: '127.0.0.1:<EPHEMERAL>'"],
  [/127\.0\.0\.1:\d{5}(?=->|: (?:read|write))/g, "127.0.0.1:<EPHEMERAL>"],
  [/(stream error: stream ID )\d+/g, "$1<N>"],
];

const HASHES: readonly Rule[] = [
  [/("(?:hash|compact_hash)":\s*"?)\d+/g, "$1<HASH>"],
  [/("Hash" : )\d+/g, "$1<HASH>"],
  [/^[0-9a-f]{1,8}, (\d+, \d+)/g, "<HASH>, $1"],
];

const TERMS: readonly Rule[] = [
  [/("(?:raft_term|raftTerm)":\s*"?)\d+/g, "$1<TERM>"],
  [/("RaftTerm" : )\d+/g, "$1<TERM>"],
  [/((?:true|false), (?:true|false), )\d+(?=, <RAFTINDEX>)/g, "$1<TERM>"],
  // Field 4 of a header.
  [/^( {2}4: )\d+$/g, "$1<TERM>"],
];

const CELLS: Readonly<Record<string, string>> = {
  "DB SIZE": "<SIZE>",
  "IN USE": "<SIZE>",
  "DB SIZE IN USE": "<SIZE>",
  "TOTAL SIZE": "<SIZE>",
  "PERCENTAGE NOT IN USE": "<PCT>",
  "RAFT INDEX": "<RAFTINDEX>",
  "RAFT APPLIED INDEX": "<RAFTINDEX>",
  TOOK: "<DURATION>",
};

export class Normaliser {
  /** Hashes of files, which contain ids; those of keys are compared as they are. */
  hidesHashes = false;
  /** Terms are chance where elections are. */
  hidesTerms = false;
  readonly #places: (readonly [string, string])[];
  readonly #token: string;
  readonly #ids: (readonly [string, string])[] = [];
  readonly #encoded: (readonly [Buffer, string])[] = [];

  constructor(places: Places) {
    this.#places = [
      [places.directory, "<TMP>"],
      ...places.clientPorts.map((port, at) => [String(port), `<CPORT${at + 1}>`] as const),
      ...places.peerPorts.map((port, at) => [String(port), `<PPORT${at + 1}>`] as const),
      [String(places.deadPort), "<DEADPORT>"],
    ];
    this.#token = places.token;
    this.learn(places.clusterId, "CLUSTER");
    for (const [at, id] of places.memberIds.entries()) this.learn(id, `MEMBER${at + 1}`);
  }

  /** An id has a name from now on. */
  learn(id: bigint, name: string): void {
    this.#places.unshift(...idNames(id, name));
    this.#ids.push([id.toString(16), `<${name}>`]);
    this.#encoded.push([varint(id), `<${name}:varint>`]);
  }

  /** The names in a command or an input, replaced by what they stand for. */
  expand(text: string): string {
    let out = text.replaceAll("<TOKEN>", this.#token);
    for (const [value, name] of this.#places) out = out.replaceAll(name, value);
    return out;
  }

  /** The lines that a transcript has for an output. */
  lines(bytes: Buffer): string[] {
    if (bytes.length === 0) return [];
    const text = withoutElapsed(decodeLoosely(this.#withoutEncodedIds(bytes)));
    const ended = text.endsWith("\n");
    const raw = (ended ? text.slice(0, -1) : text).split("\n");
    const { lines, cut } = cutRuntime(raw);
    const out = withoutRepetitions(this.#replaceAll(lines)).map(visible);
    const usage = lines.indexOf("Usage:");
    if (!ended && !cut && usage < 0) out[out.length - 1] += "<NO-NEWLINE>";
    return out;
  }

  /** Messages may stand in the middle of other output. */
  #withoutEncodedIds(bytes: Buffer): Buffer {
    let out = bytes;
    for (const [encoded, name] of this.#encoded) {
      for (let at = out.indexOf(encoded); at >= 0; at = out.indexOf(encoded)) {
        const rest = out.subarray(at + encoded.length);
        out = Buffer.concat([out.subarray(0, at), Buffer.from(name), rest]);
      }
    }
    return out;
  }

  /** Keys with ids in them, of -w json and --hex, are shown as what they encode. */
  #withEncodedKeys(text: string): string {
    return text
      .replace(/(?<=":")[A-Za-z0-9+/]{16,}={0,2}(?=")/g, (found) => this.#decoded(found, "base64"))
      .replace(/(?:\\x[0-9a-f]{2}){16,}/g, (found) => this.#decoded(found, "hex"));
  }

  #decoded(encoded: string, encoding: "base64" | "hex"): string {
    const digits = encoded.replaceAll("\\x", "");
    const key = Buffer.from(digits, encoding).toString("utf8");
    if (Buffer.from(key).toString(encoding) !== digits) return encoded;
    const named = this.#ids.reduce((out, [id, name]) => out.replaceAll(id, name), key);
    return named === key ? encoded : `${encoding}(${named})`;
  }

  line(text: string): string {
    let line = this.#withEncodedKeys(text);
    for (const [value, name] of this.#places) {
      if (line.includes(value)) line = line.replaceAll(value, name);
    }
    const terms = this.hidesTerms ? TERMS : [];
    const hashes = this.hidesHashes ? HASHES : [];
    const rules = [TIMES, SIZES, INDEXES, RUNTIME, terms, hashes].flat();
    for (const [pattern, replacement] of rules) line = line.replace(pattern, replacement);
    return line;
  }

  #replaceAll(lines: readonly string[]): string[] {
    const out: string[] = [];
    for (let at = 0; at < lines.length; ) {
      if (lines[at] === "Usage:") {
        return out.some((line) => line.includes("Error")) ? [...out, "<USAGE>"] : ["<HELP>"];
      }
      const length = tableLength(lines, at);
      if (length > 0) {
        const table = lines.slice(at, at + length);
        out.push(...replaceInTable(table, (heading, text) => this.#cell(heading, text)));
        at += length;
      } else {
        out.push(this.line(lines[at]!));
        at++;
      }
    }
    return out;
  }

  #cell(heading: string, text: string): string {
    if (text === "") return text;
    if (heading === "HASH" && this.hidesHashes) return "<HASH>";
    if (heading === "RAFT TERM" && this.hidesTerms) return "<TERM>";
    return CELLS[heading] ?? this.line(text);
  }
}

function withoutElapsed(text: string): string {
  const replace = (left: string, ...rest: readonly unknown[]): string => {
    const { granted } = rest.at(-1) as { readonly granted: string };
    const elapsed = Number(granted) - Number(left);
    return elapsed >= 0 && elapsed <= ELAPSED_SECONDS_MAX ? "<TTL>" : left;
  };
  return REMAINING.reduce((out, pattern) => out.replace(pattern, replace), text);
}

function varint(id: bigint): Buffer {
  const bytes: number[] = [];
  for (let rest = id; rest > 0n; rest >>= 7n) {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
  }
  return Buffer.from(bytes);
}

/** An id in its three spellings, the longest first. */
function idNames(id: bigint, name: string): (readonly [string, string])[] {
  return [
    [id.toString(), `<${name}:dec>`],
    [id.toString(16), `<${name}>`],
    [id.toString(16).toUpperCase(), `<${name}:upper>`],
  ];
}

/** Traces of Go, and the log that --debug turns on: up to the end, nothing of them is compared. */
function cutRuntime(raw: readonly string[]): { lines: string[]; cut: boolean } {
  const lines: string[] = [];
  for (let at = 0; at < raw.length; at++) {
    const line = raw[at]!;
    if (/^\d{4}\/\d\d\/\d\d [\d:.]+ (INFO|WARNING|ERROR): \[/.test(line)) {
      return { lines: [...lines, "<GRPC-LOG>"], cut: true };
    }
    if (/^goroutine \d+ \[/.test(line)) return { lines: [...lines, "<GOROUTINES>"], cut: true };
    if (/^\t\/\S+\.(go|s):\d+/.test(raw[at + 1] ?? "")) {
      if (lines.at(-1) !== "<STACK>") lines.push("<STACK>");
      at++;
    } else {
      lines.push(line);
    }
  }
  return { lines, cut: false };
}

/** How often a client tried before its time was over is chance. */
function withoutRepetitions(lines: readonly string[]): string[] {
  const out: string[] = [];
  for (const original of lines) {
    if (!original.startsWith('{"level":')) {
      out.push(original);
      continue;
    }
    const line = original
      .replace(/(code = DeadlineExceeded desc = ).*?"\}/, '$1<ANY>"}')
      .replace(/"attempt":\d+/, '"attempt":<N>');
    const last = out.at(-1) ?? "";
    const method = /"method":"[^"]*"/.exec(line)?.[0] ?? "";
    const repeats = last.startsWith('{"level":') && method !== "" && last.includes(method);
    if (line.includes("code = DeadlineExceeded") && repeats && !last.includes("DeadlineExceeded")) {
      continue;
    }
    if (last.split("  <1+ TIMES>")[0] === line) out[out.length - 1] = `${line}  <1+ TIMES>`;
    else out.push(line);
  }
  return out;
}
