// etcd says more than a value with every answer: the revision of the store. All writes lie on one
// line of revisions, and who asks after another was answered sees no older one. This finds wrong
// orders across keys, and without any search.

import { describe, isAnswered, type Operation } from "./history.ts";

/** What is wrong, one sentence, or undefined. */
export function findRevisionFault(history: readonly Operation[]): string | undefined {
  return findBackwardStep(history) ?? findDouble(history) ?? findUnknownVersion(history);
}

/** An answer is not older than one that was there before its question was sent. */
function findBackwardStep(history: readonly Operation[]): string | undefined {
  const answered = history.filter(isAnswered);
  const byReturn = [...answered].sort((a, b) => a.returnedAt - b.returnedAt);
  const byCall = [...answered].sort((a, b) => a.calledAt - b.calledAt);
  let newest: Operation | undefined;
  let at = 0;
  for (const operation of byCall) {
    while (byReturn[at] !== undefined && byReturn[at]!.returnedAt < operation.calledAt) {
      const before = byReturn[at]!;
      if (newest === undefined || before.revision > newest.revision) newest = before;
      at++;
    }
    if (newest === undefined) continue;
    const isBehind = changes(operation)
      ? operation.revision <= newest.revision
      : operation.revision < newest.revision;
    if (isBehind) return `${describe(operation)} is older than ${describe(newest)} before it`;
  }
  return undefined;
}

/** Two changes never have the same revision. */
function findDouble(history: readonly Operation[]): string | undefined {
  const byRevision = new Map<number, Operation>();
  for (const operation of history) {
    if (!isAnswered(operation) || !changes(operation)) continue;
    const other = byRevision.get(operation.revision);
    if (other !== undefined) return `${describe(operation)} has the revision of ${describe(other)}`;
    byRevision.set(operation.revision, operation);
  }
  return undefined;
}

/** A value read under a revision is the one that was written there, if that is known. */
function findUnknownVersion(history: readonly Operation[]): string | undefined {
  const writes = new Map<number, Operation>();
  for (const operation of history) {
    if (isAnswered(operation) && changes(operation)) writes.set(operation.revision, operation);
  }
  for (const operation of history) {
    const { action, key, revision } = operation;
    if (action.kind !== "read" || action.found === undefined || action.found === null) continue;
    if (action.modRevision > revision) return `${describe(operation)} shows what comes later`;
    const write = writes.get(action.modRevision);
    if (write === undefined) continue;
    const isRight =
      write.key === key && write.action.kind !== "read" && write.action.value === action.found;
    if (!isRight) return `${describe(operation)} is not what ${describe(write)} wrote`;
  }
  return undefined;
}

/** Deleting what is not there changes nothing, so of deletions it is not known. */
function changes({ action }: Operation): boolean {
  if (action.kind === "write") return action.value !== null;
  return action.kind === "swap" && action.succeeded === true && action.value !== null;
}
