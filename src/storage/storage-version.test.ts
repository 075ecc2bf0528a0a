import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStorageVersion, storageVersionProblem } from "./storage-version.ts";

const problem = (current: string, target: string): string | undefined =>
  storageVersionProblem(parseStorageVersion(current)!, parseStorageVersion(target)!);

test("there is a way between the versions that are known", () => {
  for (const current of ["3.5.0", "3.6.0", "3.7.0"]) {
    for (const target of ["3.5.0", "3.6.0", "3.7.0"]) {
      assert.equal(problem(current, target), undefined);
    }
  }
});

test("the way ends at the first version that is not known", () => {
  assert.equal(problem("3.7.0", "3.9.0"), 'version "3.8.0" is not supported');
  assert.equal(problem("3.9.0", "3.7.0"), 'version "3.9.0" is not supported');
  assert.equal(problem("3.4.0", "3.7.0"), 'version "3.5.0" is not supported');
  assert.equal(problem("4.0.0", "3.7.0"), "changing major storage version is not supported");
});

test("what is no version", () => {
  for (const text of ["", "x", "3", "3.x.0"]) assert.equal(parseStorageVersion(text), undefined);
});
