import assert from "node:assert/strict";
import { test } from "node:test";
import { CONTEXT_DEADLINE_EXCEEDED } from "../net/grpc-client-call.ts";
import { Errors } from "../wire/errors.ts";
import { Code, RpcError } from "../wire/status.ts";
import { errorText, isError, statusText } from "./errors.ts";

test("etcd's own errors stand for themselves, others tell their code", () => {
  assert.equal(errorText(Errors.EmptyKey), "etcdserver: key is not provided");
  assert.equal(
    errorText(new RpcError(Code.Unknown, Errors.MemberNotFound.message)),
    Errors.MemberNotFound.message,
  );
  assert.equal(errorText(CONTEXT_DEADLINE_EXCEEDED), "context deadline exceeded");
  assert.equal(
    errorText(new RpcError(Code.Unimplemented, "unknown method")),
    "rpc error: code = Unimplemented desc = unknown method",
  );
  // Six of the 63 are not known to clients.
  assert.equal(
    errorText(Errors.PermissionNotGiven),
    "rpc error: code = InvalidArgument desc = etcdserver: permission not given",
  );
  assert.equal(errorText(new Error("plain")), "plain");
  assert.equal(errorText("text"), "text");
});

test("errors are compared by their text, as they come from afar", () => {
  const copy = new RpcError(Code.NotFound, Errors.LeaseNotFound.message);
  assert.ok(isError(copy, Errors.LeaseNotFound));
  assert.ok(!isError(copy, Errors.MemberNotFound));
  assert.ok(!isError(new Error(Errors.LeaseNotFound.message), Errors.LeaseNotFound));
  assert.equal(statusText(copy), `rpc error: code = NotFound desc = ${copy.message}`);
});
