// Broken invariants stop the process, in production too: a wrong answer is worse than none, and a
// restart is tested daily.

export class InvariantError extends Error {
  override name = "InvariantError";
}

/** @throws InvariantError when `condition` is false; nobody may catch it and go on. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** For the default branch of a switch over a union: the compiler lists what was forgotten. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${String(value)}`);
}
