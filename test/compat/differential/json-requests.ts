// Random bodies for the JSON gateway: fields in either spelling, numbers and bytes in every form
// that JSON clients send them in, and some that no server should take.

import fc from "fast-check";
import { oddly } from "./oddly.ts";

export interface JsonCall {
  readonly path: string;
  readonly body: string;
}

const KEYS = ["a", "b", "ab", "\xff", "k\xfb\xff", ""];

/** Standard or for URLs, with or without padding; or no base64 at all. */
const key = oddly(
  fc
    .tuple(fc.constantFrom(...KEYS), fc.constantFrom("base64", "base64url" as const), fc.boolean())
    .map(([text, encoding, isPadded]) => {
      const plain = Buffer.from(text, "latin1").toString(encoding as BufferEncoding);
      const bare = plain.replaceAll("=", "");
      return JSON.stringify(isPadded ? bare.padEnd(Math.ceil(bare.length / 4) * 4, "=") : bare);
    }),
  fc.constantFrom(
    '"a"',
    '"YQ=="',
    '"YR=="',
    '"Y Q"',
    '"!!"',
    "null",
    "1",
    "[]",
    '"\\u0059Q=="',
    '"YQ=\\n="',
  ),
  8,
);
const number = oddly(
  fc.tuple(fc.nat(30), fc.constantFrom('"', "")).map(([n, quote]) => `${quote}${n}${quote}`),
  fc.constantFrom(
    ..."-1 1.0 1e1 1.5 null true 1e400 -0 01 +1 9223372036854775807 9223372036854775808".split(" "),
    ...'" 1" "1 " "1e1" "1.0" "0x1" "" "-1" "9223372036854775807" "x" "3[" "3,x" "3_" "3:" {} []'.split(
      /(?<=\S) (?=")/,
    ),
  ),
  6,
);
const bool = oddly(
  fc.constantFrom("true", "false"),
  fc.constantFrom('"true"', "1", "null", '""'),
  6,
);
const enumOf = (...names: string[]) =>
  oddly(
    fc.constantFrom(...names.map((name) => `"${name}"`), ...names.map((_, at) => `${at}`)),
    fc.constantFrom(
      '"NONE_SUCH"',
      "99",
      '"1"',
      "null",
      "1.0",
      "-1",
      '""',
      `"${names[0]!.toLowerCase()}"`,
    ),
    8,
  );

type Fields = Readonly<Record<string, fc.Arbitrary<string>>>;

const camel = (name: string): string =>
  name.replace(/_(\w)/g, (_, one: string) => one.toUpperCase());

/** Each field is there or not, in its own spelling or JSON's, and sometimes twice. */
function object(fields: Fields, always: readonly string[] = []): fc.Arbitrary<string> {
  const members = Object.entries(fields).map(([name, value]) =>
    fc
      .tuple(value, fc.boolean(), always.includes(name) ? fc.constant(true) : fc.boolean())
      .map(([text, isCamel, isThere]) =>
        isThere ? [`"${isCamel ? camel(name) : name}":${text}`] : [],
      ),
  );
  const extra = oddly(
    fc.constant<string[]>([]),
    fc.constantFrom(['"unknown":1'], ['"key":"Yg=="'], ['"KEY":"Yg=="'], ['"":{}']),
    20,
  );
  return fc.tuple(...members, extra).map((all) => `{${all.flat().join(",")}}`);
}

const range: Fields = {
  key,
  range_end: key,
  limit: number,
  revision: number,
  sort_order: enumOf("NONE", "ASCEND", "DESCEND"),
  sort_target: enumOf("KEY", "VERSION", "CREATE", "MOD", "VALUE"),
  serializable: bool,
  keys_only: bool,
  count_only: bool,
  max_mod_revision: number,
};
const put: Fields = {
  key,
  value: key,
  lease: oddly(fc.constant('"0"'), number, 3),
  prev_kv: bool,
};
const deletion: Fields = { key, range_end: key, prev_kv: bool };
const compare = object(
  {
    key,
    result: enumOf("EQUAL", "GREATER", "LESS", "NOT_EQUAL"),
    target: enumOf("VERSION", "CREATE", "MOD", "VALUE", "LEASE"),
    version: number,
    value: key,
  },
  ["key"],
);
const op = fc.oneof(
  object(range, ["key"]).map((text) => `{"request_range":${text}}`),
  object(put, ["key"]).map((text) => `{"requestPut":${text}}`),
  object(deletion, ["key"]).map((text) => `{"request_delete_range":${text}}`),
  fc.constantFrom("{}", "null", '{"request_txn":{}}'),
);
const list = (one: fc.Arbitrary<string>, maxLength: number): fc.Arbitrary<string> =>
  oddly(
    fc.array(one, { maxLength }).map((all) => `[${all.join(",")}]`),
    fc.constantFrom("null", "{}", "[[]]", '""'),
    15,
  );
const txn: Fields = { compare: list(compare, 2), success: list(op, 2), failure: list(op, 2) };

const call = (path: string, fields: Fields, always: string[] = []): fc.Arbitrary<JsonCall> =>
  object(fields, always).map((body) => ({ path: `/v3/${path}`, body }));

const wellFormed = fc.oneof(
  { weight: 3, arbitrary: call("kv/range", range, ["key"]) },
  { weight: 4, arbitrary: call("kv/put", put, ["key"]) },
  { weight: 1, arbitrary: call("kv/deleterange", deletion, ["key"]) },
  { weight: 3, arbitrary: call("kv/txn", txn) },
  { weight: 1, arbitrary: call("kv/compaction", { revision: number }) },
  { weight: 1, arbitrary: call("lease/revoke", { ID: number }) },
  { weight: 1, arbitrary: call("lease/timetolive", { ID: number, keys: bool }) },
  { weight: 1, arbitrary: call("maintenance/hashkv", { revision: number }) },
);

/** Cut, with something behind it, or with a character exchanged. */
const damaged = fc
  .tuple(wellFormed, fc.nat(), fc.constantFrom(...'cut tail { } [ , : " \\ \0 x'.split(" ")))
  .map(([{ path, body }, where, how]): JsonCall => {
    const at = where % (body.length + 1);
    if (how === "cut") return { path, body: body.slice(0, at) };
    if (how === "tail") return { path, body: `${body}${["{}", " ", "x", "]"][where % 4]}` };
    return { path, body: body.slice(0, at) + how + body.slice(at + 1) };
  });

export const jsonCalls: fc.Arbitrary<JsonCall> = oddly(wellFormed, damaged, 5);
