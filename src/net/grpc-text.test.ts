import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  isGrpcContentType,
  malformedTimeout,
  parseTimeout,
  percentEncode,
  unknownMethod,
} from "./grpc-text.ts";

test("timeouts in every unit", () => {
  const values = ["1H", "2M", "3S", "4m", "5u", "6n", "99999999H", "0S"].map(parseTimeout);
  const expected = [3_600_000, 120_000, 3000, 4, 0.005, 6e-6, 99_999_999 * 3_600_000, 0];
  for (const [at, value] of values.entries()) {
    assert.ok(Math.abs(value - expected[at]!) <= expected[at]! * 1e-9, `${value}`);
  }
});

test("malformed timeouts, and what is said of them", () => {
  const texts: Record<string, string> = {
    "": 'transport: timeout string is too short: ""',
    S: 'transport: timeout string is too short: "S"',
    "123456789S": 'transport: timeout string is too long: "123456789S"',
    "1s": 'transport: timeout unit is not recognized: "1s"',
    "-1S": 'strconv.ParseUint: parsing "-1": invalid syntax',
  };
  for (const [text, reason] of Object.entries(texts)) {
    assert.equal(parseTimeout(text), -1, text);
    assert.equal(malformedTimeout(text).message, `malformed grpc-timeout: ${reason}`);
  }
});

test("messages survive percent-encoding and are printable ASCII", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 100 }), (text) => {
      const encoded = percentEncode(text);
      assert.match(encoded, /^[ -~]*$/);
      const wellFormed = Buffer.from(text).toString();
      assert.equal(decodeURIComponent(encoded), wellFormed);
    }),
  );
  assert.equal(percentEncode("a b%c\nd"), "a b%25c%0Ad");
  assert.equal(percentEncode("x".repeat(10_000)).length, 4096);
});

test("content types of gRPC", () => {
  for (const good of ["application/grpc", "application/grpc+proto", "application/grpc;v=1"]) {
    assert.ok(isGrpcContentType(good), good);
  }
  for (const bad of ["", "application/grpc-web", "application/json", "xapplication/grpc"]) {
    assert.equal(isGrpcContentType(bad), false, bad);
  }
});

test("paths that lead nowhere", () => {
  const services = new Set(["a.B"]);
  const text = (path: string): string => unknownMethod(path, services).message;
  assert.equal(text("/a.B/C"), "unknown method C for service a.B");
  assert.equal(text("/a.X/C"), "unknown service a.X");
  assert.equal(text("a.B/C"), "unknown method C for service a.B");
  assert.equal(text("*"), 'malformed method name: "*"');
});
