import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderField } from "./header-field.ts";
import { RequestHead } from "./request-head.ts";

type Lines = readonly (readonly [string, string])[];

const good: Lines = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/a"],
  [":authority", "host"],
];

function head(lines: Lines): RequestHead {
  const result = new RequestHead();
  // What was there before must not matter.
  for (const line of [["UPPER", "x"], ...good]) result.onField(new HeaderField(line[0]!, line[1]!));
  result.reset();
  for (const [name, value] of lines) result.onField(new HeaderField(name, value));
  return result;
}

test("a request with its fields", () => {
  const one = head([
    ...good,
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ["grpc-timeout", "1S"],
    ["token", "abc"],
    ["token", "def"],
  ]);
  assert.ok(one.isWellFormedRequest());
  assert.equal(one.path!.value, "/a");
  assert.equal(one.authority!.value, "host");
  assert.equal(one.contentType!.value, "application/grpc");
  assert.equal(one.grpcTimeout!.value, "1S");
  assert.equal(one.metadataCount, 2);
  assert.equal(one.fieldCount, 5);
  assert.equal(one.fields[3]!.value, "abc");
});

test("malformed requests", () => {
  const wrong: Record<string, Lines> = {
    "no method": good.slice(1),
    "no scheme": [good[0]!, good[2]!],
    "no path": good.slice(0, 2),
    "empty path": [good[0]!, good[1]!, [":path", ""]],
    "twice the method": [good[0]!, ...good],
    "unknown pseudo field": [...good, [":extra", "x"]],
    "response field": [...good, [":status", "200"]],
    "pseudo field after another": [good[0]!, good[1]!, ["a", "b"], good[2]!],
    "upper case": [...good, ["Token", "x"]],
    "empty name": [...good, ["", "x"]],
    "space in a name": [...good, ["a b", "x"]],
    "line break in a value": [...good, ["a", "x\r\ny"]],
    "zero in a value": [...good, ["a", "x\0"]],
    "leading space in a value": [...good, ["a", " x"]],
    connection: [...good, ["connection", "close"]],
    upgrade: [...good, ["upgrade", "h2c"]],
    "transfer-encoding": [...good, ["transfer-encoding", "chunked"]],
    "te other than trailers": [...good, ["te", "gzip"]],
    "path of CONNECT": [
      [":method", "CONNECT"],
      [":authority", "x"],
      [":path", "/"],
    ],
  };
  for (const [name, lines] of Object.entries(wrong)) {
    assert.equal(head(lines).isWellFormedRequest(), false, name);
  }
  assert.ok(
    head([
      [":method", "CONNECT"],
      [":authority", "x"],
    ]).isWellFormedRequest(),
  );
});

test("trailers have no pseudo fields", () => {
  assert.ok(head([["a", "b"]]).areWellFormedTrailers());
  assert.ok(head([]).areWellFormedTrailers());
  assert.equal(head([[":path", "/"]]).areWellFormedTrailers(), false);
  assert.equal(head([["A", "b"]]).areWellFormedTrailers(), false);
});
