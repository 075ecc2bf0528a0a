// What clients saw: operations with the moments between which they happened, and what came of them.

/** A key's value; null: there is none. */
export type Value = string | null;

export interface Operation {
  readonly key: string;
  readonly action: Action;
  /** When it was sent, and when the answer was there: Infinity when none came. */
  readonly calledAt: number;
  readonly returnedAt: number;
  /** Revision in the header of the answer; 0 without one. */
  readonly revision: number;
}

export type Action =
  | { readonly kind: "write"; readonly value: Value }
  /** `found` undefined: no answer came. */
  | {
      readonly kind: "read";
      readonly found: Value | undefined;
      readonly modRevision: number;
    }
  /** If the value was `expected`, it is `value` now; `succeeded` undefined: no answer came. */
  | {
      readonly kind: "swap";
      readonly expected: Value;
      readonly value: Value;
      readonly succeeded: boolean | undefined;
    };

export function isAnswered({ returnedAt }: Operation): boolean {
  return returnedAt !== Infinity;
}

/** For messages: `k: swap(a → b) = true [3, 9] @17`. */
export function describe(operation: Operation): string {
  const { key, action, calledAt, returnedAt, revision } = operation;
  const what =
    action.kind === "write"
      ? `write(${action.value})`
      : action.kind === "read"
        ? `read = ${action.found} @${action.modRevision}`
        : `swap(${action.expected} → ${action.value}) = ${action.succeeded}`;
  return `${key}: ${what} [${calledAt}, ${returnedAt}] @${revision}`;
}
