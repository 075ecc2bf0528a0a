import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatDuration } from "../../base/duration-text.ts";
import {
  ParseError,
  parseBool,
  parseDuration,
  parseInt64,
  parseUint64,
  quote,
  quoteCharacter,
  unquote,
} from "./go-text.ts";

function failure(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ParseError);
    return error.message;
  }
  return assert.fail("did not throw");
}

test("quote: printable as it is, the rest escaped", () => {
  const cases: [string | Uint8Array, string][] = [
    ["foo", '"foo"'],
    ["", '""'],
    ['tab\there "quote" back\\slash', '"tab\\there \\"quote\\" back\\\\slash"'],
    ["\u0007\b\n\v\f\r\u0000\u007f", '"\\a\\b\\n\\v\\f\\r\\x00\\x7f"'],
    ["zażółć 😀", '"zażółć 😀"'],
    // A no-break space and a zero-width joiner are not printable to Go, a combining mark is.
    ["\u00a0\u200d\u0301", '"\\u00a0\\u200d\u0301"'],
    ["\u{e0001}", '"\\U000e0001"'],
    [Uint8Array.of(0, 1, 0xff, 0xfe), '"\\x00\\x01\\xff\\xfe"'],
    // Overlong, surrogate and cut sequences are bytes, not runes.
    [Uint8Array.of(0xc0, 0x80), '"\\xc0\\x80"'],
    [Uint8Array.of(0xed, 0xa0, 0x80), '"\\xed\\xa0\\x80"'],
    [Uint8Array.of(0xe2, 0x82), '"\\xe2\\x82"'],
    [Uint8Array.of(0xf4, 0x90, 0x80, 0x80), '"\\xf4\\x90\\x80\\x80"'],
  ];
  for (const [value, expected] of cases) assert.equal(quote(value), expected);
  assert.equal(quoteCharacter("v"), "'v'");
  assert.equal(quoteCharacter("'"), "'\\''");
  assert.equal(quoteCharacter('"'), "'\"'");
});

test("unquote gives back what quote was given", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(unquote(quote(bytes)), bytes);
    }),
  );
});

test("unquote: other forms and what is malformed", () => {
  const textOf = (literal: string): string | undefined => {
    const bytes = unquote(literal);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString();
  };
  assert.equal(textOf("`raw \\n`"), "raw \\n");
  assert.equal(textOf('"\\u00e9\\x41\\101"'), "éAA");
  assert.equal(textOf('"\\U0001F600"'), "😀");
  for (const bad of ['"', '"a', 'a"', "'a'", '"\\q"', '"\\ud800"', '"a\nb"', '"\\x4"', '"\\400"']) {
    assert.equal(unquote(bad), undefined, bad);
  }
});

test("numbers: Go's limits, prefixes and texts", () => {
  assert.equal(parseInt64("-9223372036854775808"), -(2n ** 63n));
  assert.equal(parseInt64("+7"), 7n);
  assert.equal(parseInt64("7FFF", 16), 0x7fffn);
  assert.equal(parseInt64("0x1F", 0), 31n);
  assert.equal(parseInt64("-0b101", 0), -5n);
  assert.equal(parseInt64("017", 0), 15n);
  assert.equal(parseInt64("1_000", 0), 1000n);
  assert.equal(parseUint64("ffffffffffffffff", 16), 2n ** 64n - 1n);
  const invalid = (text: string): string =>
    `strconv.ParseInt: parsing ${quote(text)}: invalid syntax`;
  for (const text of ["", "x", "1.5", "0x1", "1_000", " 1", "-", "--1"]) {
    assert.equal(
      failure(() => parseInt64(text)),
      invalid(text),
    );
  }
  for (const text of ["_1", "1__0", "1_", "0x", "08"]) {
    assert.equal(
      failure(() => parseInt64(text, 0)),
      invalid(text),
    );
  }
  assert.equal(
    failure(() => parseInt64("9223372036854775808")),
    'strconv.ParseInt: parsing "9223372036854775808": value out of range',
  );
  assert.equal(
    failure(() => parseUint64("-1")),
    'strconv.ParseUint: parsing "-1": invalid syntax',
  );
  assert.equal(
    failure(() => parseUint64("10000000000000000", 16)),
    'strconv.ParseUint: parsing "10000000000000000": value out of range',
  );
});

test("booleans", () => {
  for (const text of ["1", "t", "T", "true", "TRUE", "True"]) assert.equal(parseBool(text), true);
  for (const text of ["0", "f", "F", "false", "FALSE"]) assert.equal(parseBool(text), false);
  assert.equal(
    failure(() => parseBool("maybe")),
    'strconv.ParseBool: parsing "maybe": invalid syntax',
  );
});

test("durations are read as Go reads them", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["5s", 5e9],
    ["1.5h", 5400e9],
    ["1h2m3.004s", 3_723_004e6],
    ["-1.5ms", -1.5e6],
    ["10\u00b5s", 10e3],
    ["10us", 10e3],
    ["1ns", 1],
    [".5s", 5e8],
  ];
  for (const [text, ns] of cases) assert.equal(parseDuration(text), ns, text);
  const errors: [string, string][] = [
    ["abc", 'time: invalid duration "abc"'],
    ["", 'time: invalid duration ""'],
    ["5", 'time: missing unit in duration "5"'],
    ["5x", 'time: unknown unit "x" in duration "5x"'],
    ["-", 'time: invalid duration "-"'],
    ["9999999h", 'time: invalid duration "9999999h"'],
  ];
  for (const [text, message] of errors) {
    assert.equal(
      failure(() => parseDuration(text)),
      message,
    );
  }
});

test("durations are written as Go writes them", () => {
  const cases: [number, string][] = [
    [0, "0s"],
    [1, "1ns"],
    [1500, "1.5\u00b5s"],
    [2_000_000, "2ms"],
    [1_234_567, "1.234567ms"],
    [5e9, "5s"],
    [61.5e9, "1m1.5s"],
    [3600e9, "1h0m0s"],
    [-2e9, "-2s"],
  ];
  for (const [ns, text] of cases) assert.equal(formatDuration(ns), text);
});

test("a duration written and read is the same", () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), (ns) => {
      assert.equal(parseDuration(formatDuration(ns)), ns);
    }),
  );
});
