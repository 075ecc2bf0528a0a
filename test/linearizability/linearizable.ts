// Is there an order of the operations, each between its call and its return, in which every answer
// is right? The search of Wing and Gong (1993) with the memory of Lowe (2017): who comes next is
// tried among those whose call lies before the first return; a set of operations done, together
// with the value they led to, is tried once.
//
//   events  call a · call b · return b · call c · return a · return c
//           └─ a or b may be first ─┘   then, say after b: a; c not before b
//
// Keys are independent, so each is searched by itself. An operation without an answer returns at
// the end of time, or is left out when nobody can have noticed whether it happened.

import { isAnswered, type Operation, type Value } from "./history.ts";

/** A key with more configurations than this is not decided by search. */
const CONFIGURATIONS_MAX = 5_000_000;

/** Why there is no such order: a key, with the operations that could not be placed. */
export interface Violation {
  readonly key: string;
  readonly operations: readonly Operation[];
}

export function findViolation(history: readonly Operation[]): Violation | undefined {
  const byKey = new Map<string, Operation[]>();
  for (const operation of history) {
    const list = byKey.get(operation.key);
    if (list === undefined) byKey.set(operation.key, [operation]);
    else list.push(operation);
  }
  for (const [key, all] of byKey) {
    const operations = withoutUnnoticed(all);
    if (!isLinearizable(operations)) return { key, operations };
  }
  return undefined;
}

/**
 * Reads without an answer say nothing. Writes without an answer whose value nobody saw need not
 * have happened, unless a swap failed: that may have been their doing.
 */
function withoutUnnoticed(operations: readonly Operation[]): Operation[] {
  const seen = new Set<Value>();
  let hasFailedSwap = false;
  for (const { action } of operations) {
    if (action.kind === "read" && action.found !== undefined) seen.add(action.found);
    if (action.kind !== "swap") continue;
    seen.add(action.expected);
    hasFailedSwap ||= action.succeeded === false;
  }
  return operations.filter((operation) => {
    if (isAnswered(operation)) return true;
    const { action } = operation;
    return action.kind !== "read" && (hasFailedSwap || seen.has(action.value));
  });
}

/** One event in the list that the search takes operations out of and puts them back into. */
interface Event {
  readonly at: number;
  readonly operation: number;
  readonly isCall: boolean;
  previous: Event | null;
  next: Event | null;
}

function isLinearizable(operations: readonly Operation[]): boolean {
  const { head, returns } = eventsOf(operations);
  const done = new Uint32Array((operations.length + 31) >>> 5);
  const tried = new Set<string>();
  const placed: { call: Event; valueBefore: Value }[] = [];
  let value: Value = null;
  let event = head.next;
  while (head.next !== null && event !== null) {
    if (!event.isCall) {
      // Who returns here has no place yet, and none was found for it later.
      const last = placed.pop();
      if (last === undefined) return false;
      value = last.valueBefore;
      flip(done, last.call.operation);
      putBack(last.call, returns[last.call.operation]!);
      event = last.call.next;
      continue;
    }
    const next = step(value, operations[event.operation]!);
    if (next !== undefined && isNew(tried, done, event.operation, next)) {
      placed.push({ call: event, valueBefore: value });
      value = next;
      flip(done, event.operation);
      takeOut(event, returns[event.operation]!);
      event = head.next;
    } else {
      event = event.next;
    }
  }
  return true;
}

/** The value after the operation, or undefined if its answer would be wrong. */
function step(value: Value, { action }: Operation): Value | undefined {
  switch (action.kind) {
    case "write":
      return action.value;
    case "read":
      return action.found === value ? value : undefined;
    case "swap": {
      const succeeds = action.expected === value;
      if (action.succeeded !== undefined && action.succeeded !== succeeds) return undefined;
      return succeeds ? action.value : value;
    }
  }
}

function isNew(tried: Set<string>, done: Uint32Array, operation: number, value: Value): boolean {
  flip(done, operation);
  const configuration = `${done.join(",")}=${value === null ? "-" : `"${value}`}`;
  flip(done, operation);
  if (tried.has(configuration)) return false;
  if (tried.size >= CONFIGURATIONS_MAX) throw new Error("too many configurations to search");
  tried.add(configuration);
  return true;
}

function flip(done: Uint32Array, operation: number): void {
  done[operation >>> 5]! ^= 1 << (operation & 31);
}

function eventsOf(operations: readonly Operation[]): { head: Event; returns: Event[] } {
  const events: Event[] = [];
  const returns: Event[] = [];
  operations.forEach(({ calledAt, returnedAt }, operation) => {
    const links = { operation, previous: null, next: null };
    events.push({ at: calledAt, isCall: true, ...links });
    const end = { at: returnedAt, isCall: false, ...links };
    returns.push(end);
    events.push(end);
  });
  // At one moment calls come first: that only allows more orders.
  events.sort((a, b) => (a.at === b.at ? Number(b.isCall) - Number(a.isCall) : a.at - b.at));
  const head: Event = { at: -Infinity, operation: -1, isCall: true, previous: null, next: null };
  let last = head;
  for (const event of events) {
    event.previous = last;
    last.next = event;
    last = event;
  }
  return { head, returns };
}

function takeOut(call: Event, end: Event): void {
  for (const event of [call, end]) {
    event.previous!.next = event.next;
    if (event.next !== null) event.next.previous = event.previous;
  }
}

function putBack(call: Event, end: Event): void {
  for (const event of [end, call]) {
    event.previous!.next = event;
    if (event.next !== null) event.next.previous = event;
  }
}
