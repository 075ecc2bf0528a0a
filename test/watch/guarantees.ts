// What a watch promises, as checks of what one client got from one watcher, against the history.
// Nine of them are etcd's own (its API guarantees and its robustness tests); the others are what
// clients also rely on: the order of answers, and that nothing is missing in the end.

import type { KeyValue } from "../../src/wire/messages/kv.ts";
import { EventType } from "../../src/wire/messages/kv.ts";
import type { WatchCreateRequest, WatchResponse } from "../../src/wire/messages/rpc-watch.ts";
import { type KnownChanges, nameOf, passes, rangeOf, text } from "./known-changes.ts";

export interface Received {
  readonly response: WatchResponse;
  /** Of the store, when the response came. */
  readonly compactRevision: number;
}

/** One watcher from its request to its end. */
export interface WatchRecord {
  readonly request: WatchCreateRequest;
  /** In the order of their coming; progress for all watchers of the stream (id -1) included. */
  readonly received: Received[];
  /** Of the store when the request was sent. */
  readonly revisionAtCreate: number;
  readonly compactRevisionAtCreate: number;
  /** It has been given the time to get everything up to this revision; 0: it has not. */
  completeThrough: number;
}

/** A record, and what several checks need of it. */
interface Case {
  readonly record: WatchRecord;
  /** What came, without fragments at the end that wait for their last: clients drop them. */
  readonly events: readonly Event[];
  /** The first revision that the watcher asks for. */
  readonly start: number;
  readonly known: KnownChanges;
}

type Check = (watch: Case) => string | undefined;

interface Event {
  readonly revision: number;
  readonly key: string;
  readonly isDelete: boolean;
  readonly kv: KeyValue;
  readonly prevKv: KeyValue | undefined;
  /** Place of its response. */
  readonly at: number;
}

function eventsOf(record: WatchRecord): Event[] {
  const last = record.received.findLastIndex(({ response }) => !response.fragment);
  return record.received.slice(0, last + 1).flatMap(({ response }, at) =>
    response.events.map(({ type, kv, prevKv }) => {
      if (kv === undefined) throw new Error("an event without a KeyValue");
      const isDelete = type === EventType.DELETE;
      return { revision: kv.modRevision, key: text(kv.key), isDelete, kv, prevKv, at };
    }),
  );
}

function startOf({ request, revisionAtCreate }: WatchRecord): number {
  return request.startRevision === 0 ? revisionAtCreate + 1 : request.startRevision;
}

const ordered: Check = ({ events }) => {
  const at = events.findIndex((event, i) => i > 0 && event.revision < events[i - 1]!.revision);
  return at < 0 ? undefined : `revision ${events[at]!.revision} comes late`;
};

const unique: Check = ({ events }) => {
  const seen = new Set<string>();
  for (const { revision, key, isDelete } of events) {
    const name = `${nameOf(revision, key)}${isDelete ? "-" : "+"}`;
    if (seen.has(name)) return `${name} comes twice`;
    seen.add(name);
  }
  return undefined;
};

/** All events of a revision come in one response, or in fragments that follow one another. */
const atomic: Check = ({ record, events }) => {
  for (let i = 1; i < events.length; i++) {
    const [before, event] = [events[i - 1]!, events[i]!];
    if (before.at === event.at || before.revision !== event.revision) continue;
    const between = record.received.slice(before.at, event.at);
    if (!between.every(({ response }) => response.fragment && record.request.fragment)) {
      return `revision ${event.revision} is split`;
    }
  }
  return undefined;
};

/** Nothing is left out between the first and the last event, and they say what was stored. */
const reliable: Check = ({ record, events, known }) => {
  if (events.length === 0) return undefined;
  const [first, last] = [events[0]!.revision, events.at(-1)!.revision];
  const expected = known.wantedBy(record.request, first, last);
  for (let i = 0; i < Math.max(events.length, expected.length); i++) {
    const [event, change] = [events[i], expected[i]];
    const got = event === undefined ? "nothing" : nameOf(event.revision, event.key);
    const right = change === undefined ? "nothing" : nameOf(change.revision, change.key);
    if (got !== right) return `${got} instead of ${right}`;
    const isSame =
      event!.isDelete === (change!.kv === undefined) &&
      (event!.isDelete ? isTombstone(event!.kv) : isEqual(event!.kv, change!.kv));
    if (!isSame) return `${got} does not say what was stored`;
  }
  return undefined;
};

/** It begins with the first event that it asks for. */
const resumable: Check = ({ record, events, start, known }) => {
  const first = events[0];
  if (first === undefined) return undefined;
  if (first.revision < start) return `${nameOf(first.revision, first.key)} is before ${start}`;
  const missed = known.wantedBy(record.request, start, first.revision - 1)[0];
  return missed === undefined ? undefined : `${nameOf(missed.revision, missed.key)} is left out`;
};

/** What a header promises, progress notifications above all: all up to its revision was sent. */
const bookmarkable: Check = ({ record, events, start, known }) => {
  let sent = 0;
  for (const [at, { response }] of record.received.entries()) {
    while (sent < events.length && events[sent]!.at <= at) sent++;
    if (response.created || response.canceled || response.fragment) continue;
    const { revision } = response.header!;
    const due = known.countWantedBy(record.request, start, revision);
    if (sent < due) return `${revision} is promised after ${sent} of ${due} events`;
    const isProgress = response.events.length === 0;
    if (isProgress && revision < start - 1) return `progress ${revision} before the start`;
    if (isProgress && sent > due) return `progress ${revision} comes late`;
  }
  return undefined;
};

const prevKvRight: Check = ({ record, events, known }) => {
  for (const { revision, key, prevKv, at } of events) {
    const name = nameOf(revision, key);
    const right = record.request.prevKv ? known.find(name)?.previous : undefined;
    if (prevKv === undefined) {
      const isGone = revision - 1 < record.received[at]!.compactRevision;
      if (right !== undefined && !isGone) return `${name} lacks its previous value`;
    } else if (right === undefined || !isEqual(prevKv, right)) {
      return `${name} has a wrong previous value`;
    }
  }
  return undefined;
};

const filterRight: Check = ({ record: { request }, events }) => {
  const isInRange = rangeOf(request);
  const wrong = events.find(({ key, isDelete }) => !isInRange(key) || !passes(request, isDelete));
  return wrong && `${nameOf(wrong.revision, wrong.key)} was not asked for`;
};

/** Whoever needs what was compacted is told; and nobody else. */
const compactionTold: Check = ({ record, events, start }) => {
  const last = events.at(-1)?.revision ?? start - 1;
  const end = record.received.at(-1);
  const isTold = end !== undefined && end.response.compactRevision > 0;
  if (isTold) {
    const { canceled, compactRevision } = end.response;
    if (!canceled) return "compacted but not canceled";
    if (compactRevision > end.compactRevision) return `${compactRevision} is not compacted`;
    if (start >= compactRevision) return `told ${compactRevision} although it began at ${start}`;
    return last >= compactRevision ? `told ${compactRevision} after ${last}` : undefined;
  }
  const isAsked = record.request.startRevision > 0 && start < record.compactRevisionAtCreate;
  if (!isAsked) return undefined;
  if (last >= start) return `got ${last} although ${start} was compacted`;
  return record.completeThrough > 0 ? `was not told that ${start} was compacted` : undefined;
};

/** `created` first and once, the id that was asked for, nothing after the end. */
const protocol: Check = ({ record: { received, request } }) => {
  for (const [at, { response }] of received.entries()) {
    if (response.created !== (at === 0)) return `answer ${at} has created=${response.created}`;
    if (response.canceled && at < received.length - 1) return "it goes on after its end";
    const isOwn = request.watchId === 0 || response.watchId === request.watchId;
    if (!isOwn && response.watchId !== -1) return `the id is ${response.watchId}`;
  }
  return undefined;
};

/** In the end nothing is missing. */
const complete: Check = ({ record, events, start, known }) => {
  if (record.received.at(-1)?.response.canceled === true) return undefined;
  const { request, completeThrough } = record;
  const due = known.countWantedBy(request, Math.max(start, 0), completeThrough);
  const sent = events.length;
  return sent < due ? `${due - sent} events never came` : undefined;
};

const guarantees: Readonly<Record<string, Check>> = {
  ordered,
  unique,
  atomic,
  reliable,
  resumable,
  bookmarkable,
  prevKvRight,
  filterRight,
  compactionTold,
  protocol,
  complete,
};

/** @throws Error naming the guarantee that is broken. */
export function checkGuarantees(record: WatchRecord, known: KnownChanges): void {
  const watch: Case = { record, events: eventsOf(record), start: startOf(record), known };
  for (const [name, check] of Object.entries(guarantees)) {
    const what = check(watch);
    if (what !== undefined) throw new Error(`${name}: ${what} (${describe(record)})`);
  }
}

function describe({ request, received }: WatchRecord): string {
  const { key, rangeEnd, startRevision, filters, prevKv, fragment } = request;
  const range = `[${text(key)}, ${text(rangeEnd)})`;
  const flags = `filters ${filters} prevKv ${prevKv} fragment ${fragment}`;
  return `watch ${range} from ${startRevision}, ${flags}, ${received.length} answers`;
}

function isTombstone(kv: KeyValue): boolean {
  return kv.createRevision === 0 && kv.version === 0 && kv.value.length === 0 && kv.lease === 0n;
}

function isEqual(left: KeyValue, right: KeyValue | undefined): boolean {
  return (
    right !== undefined &&
    left.createRevision === right.createRevision &&
    left.modRevision === right.modRevision &&
    left.version === right.version &&
    left.lease === right.lease &&
    text(left.key) === text(right.key) &&
    text(left.value) === text(right.value)
  );
}
