import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterIdOf, memberIdOf } from "./identity.ts";

test("ids are those that etcd derives", () => {
  const member = memberIdOf(["http://127.0.0.1:2380"], "etcd-cluster");
  assert.equal(member.toString(16), "b71f75320dc06a6c");
  assert.equal(clusterIdOf([member]).toString(16), "1c45a069f3a1d796");
  const standard = memberIdOf(["http://localhost:2380"], "etcd-cluster");
  assert.equal(standard.toString(16), "8e9e05c52164694d");
  assert.equal(clusterIdOf([standard]).toString(16), "cdf818194e3a8c32");
});
