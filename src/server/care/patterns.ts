// Ways of filling a store that people know, recognised by their numbers and named:
//
//   rewritten-key      one key is written again and again: its history is the store (Patroni)
//   polled-lock        keys `prefix/leaseid` come and go, hardly one stays: TryLock in a loop
//   empty-leases       many leases that no key belongs to
//   unexpired-events   keys only ever come: no lease, no update, no deletion
//
// Pure: numbers in, findings out.

import { COLUMNS, Column, ROOT } from "../../state/accounting/prefix-tree.ts";
import type { SpaceAccount } from "../../state/accounting/space-account.ts";
import type { SurveyedKey } from "./key-survey.ts";

export interface Finding {
  readonly pattern: "rewritten-key" | "polled-lock" | "empty-leases" | "unexpired-events";
  readonly subject: string;
  readonly text: string;
  readonly advice: string;
}

/** Fewer writes of one key are nothing to speak of. */
const REWRITES_MIN = 1000;
/** A key that was not written for so many revisions (of all) is not "for ever". */
const STILL_WRITTEN_SHARE = 0.05;
const REWRITTEN_KEYS_MAX = 5;
const LOCK_ROUNDS_MIN = 100;
/** Of the keys that came, so many may be there and it is still churn. */
const LOCK_STAYING_SHARE = 0.1;
const EMPTY_LEASES_MIN = 100;
const EVENTS_MIN = 1000;
/** Of the keys that came, so many may be updated, deleted or leased. */
const EVENTS_OTHER_SHARE = 0.05;
/** Observed for so many intervals in a row: filling a store once is not a stream of events. */
export const EVENTS_INTERVALS_MIN = 30;

export interface PatternInput {
  readonly space: SpaceAccount;
  readonly currentRevision: number;
  readonly compactRevision: number;
  readonly mostWritten: readonly SurveyedKey[];
  readonly leaseCount: number;
  readonly emptyLeaseCount: number;
  /** In how many intervals one after the other something was created below a node. */
  readonly intervalsOf: (node: number) => number;
}

export function findPatterns(input: PatternInput): Finding[] {
  return [
    ...rewrittenKeys(input),
    ...prefixPatterns(input),
    ...emptyLeases(input.leaseCount, input.emptyLeaseCount),
  ];
}

function rewrittenKeys(input: PatternInput): Finding[] {
  const { mostWritten, currentRevision, compactRevision } = input;
  const still = currentRevision - Math.max(100, currentRevision * STILL_WRITTEN_SHARE);
  return mostWritten
    .filter(({ version, modRevision }) => version >= REWRITES_MIN && modRevision >= still)
    .slice(0, REWRITTEN_KEYS_MAX)
    .map(({ key, version, createRevision, modRevision }) => {
      const kept = Math.max(createRevision, compactRevision);
      const share = Math.min(1, version / Math.max(1, modRevision - createRevision + 1));
      return {
        pattern: "rewritten-key" as const,
        subject: key,
        text:
          `written ${count(version)} times since revision ${createRevision}, ` +
          `${percent(share)} of all revisions since; history is kept from revision ${kept}`,
        advice: "write it less often, or let history be compacted (--auto-compaction-retention)",
      };
    });
}

function prefixPatterns({ space, intervalsOf }: PatternInput): Finding[] {
  const { tree } = space;
  const findings: Finding[] = [];
  const visit = (node: number): void => {
    const at = node * COLUMNS;
    const of = (column: number): number => tree.counters[at + column]!;
    const prefix = tree.pathOf(node);
    if (isPolledLock(of)) {
      findings.push({
        pattern: "polled-lock",
        subject: prefix,
        text:
          `${count(of(Column.LockCreates))} keys named after leases came and ` +
          `${count(of(Column.Deletes))} went, ${count(of(Column.Keys))} are there: ` +
          "somebody tries to take a lock again and again",
        advice: "wait with Lock instead of TryLock in a loop, or poll by reading the key",
      });
    } else if (isEvents(of) && intervalsOf(node) >= EVENTS_INTERVALS_MIN) {
      findings.push({
        pattern: "unexpired-events",
        subject: prefix,
        text:
          `${count(of(Column.Creates))} keys came, ${count(of(Column.Deletes))} went, ` +
          `${count(of(Column.Updates))} were updated; ${count(of(Column.Keys))} are there and ` +
          "hold " +
          `${count(of(Column.LiveBytes))} bytes`,
        advice: "put them with a lease, so that they expire, or delete old ones",
      });
    }
    for (const child of tree.childrenOf(node)) visit(child);
  };
  visit(ROOT);
  return findings;
}

function isPolledLock(of: (column: number) => number): boolean {
  const rounds = of(Column.LockCreates);
  return (
    rounds >= LOCK_ROUNDS_MIN &&
    rounds >= 0.5 * of(Column.Creates) &&
    of(Column.Deletes) >= (1 - LOCK_STAYING_SHARE) * of(Column.Creates) &&
    of(Column.Keys) <= LOCK_STAYING_SHARE * rounds
  );
}

function isEvents(of: (column: number) => number): boolean {
  const created = of(Column.Creates);
  const others = of(Column.Updates) + of(Column.Deletes) + of(Column.LeasedCreates);
  return created >= EVENTS_MIN && others <= EVENTS_OTHER_SHARE * created;
}

function emptyLeases(leaseCount: number, emptyCount: number): Finding[] {
  if (emptyCount < EMPTY_LEASES_MIN || emptyCount < leaseCount / 2) return [];
  return [
    {
      pattern: "empty-leases",
      subject: "",
      text: `${count(emptyCount)} of ${count(leaseCount)} leases have no key`,
      advice: "use one lease per session instead of one per request, and revoke what is not used",
    },
  ];
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
