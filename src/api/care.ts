// quoratepb.Care: who fills the store, and what self-care does about it. Our own service: a Go
// member answers Unimplemented, and clients of etcd never meet it. Everything here is of the member
// that is asked; what is replicated is the same on all.

import { latin1, latin1Bytes } from "../base/latin1.ts";
import { reachedInMs } from "../server/care/growth.ts";
import type { KeySurvey, SurveyedKey } from "../server/care/key-survey.ts";
import { findPatterns } from "../server/care/patterns.ts";
import { copyBytesOf } from "../server/care/policy.ts";
import { type PrefixRow, usageOf } from "../server/care/usage.ts";
import type { Member } from "../server/member.ts";
import { Column } from "../state/accounting/prefix-tree.ts";
import type { Lease } from "../state/lease/leases.ts";
import {
  type ActionsResponseInit,
  decodeUsageRequest,
  decodeWritersRequest,
  type FindingInit,
  type ForecastResponseInit,
  type KeyUsageInit,
  type PrefixUsageInit,
  type QuotasResponseInit,
  type QuotaUsageInit,
  sizeActionsResponse,
  sizeForecastResponse,
  sizeQuotasResponse,
  sizeUsageResponse,
  sizeWritersResponse,
  type UsageResponseInit,
  type WriterInit,
  type WritersResponseInit,
  writeActionsResponse,
  writeForecastResponse,
  writeQuotasResponse,
  writeUsageResponse,
  writeWritersResponse,
} from "../wire/messages/quorate.ts";
import type { Method, UnaryCall } from "../wire/rpc.ts";
import { Code, RpcError } from "../wire/status.ts";
import { withoutFields } from "./empty-request.ts";
import { type Encoder, send } from "./send.ts";

const usage: Encoder<UsageResponseInit> = { size: sizeUsageResponse, write: writeUsageResponse };
const writers: Encoder<WritersResponseInit> = {
  size: sizeWritersResponse,
  write: writeWritersResponse,
};
const forecast: Encoder<ForecastResponseInit> = {
  size: sizeForecastResponse,
  write: writeForecastResponse,
};
const actions: Encoder<ActionsResponseInit> = {
  size: sizeActionsResponse,
  write: writeActionsResponse,
};

const quotas: Encoder<QuotasResponseInit> = {
  size: sizeQuotasResponse,
  write: writeQuotasResponse,
};

const WRITERS_DEFAULT = 20;
const LEASES_MAX = 20;
const HOUR_MS = 3600_000;

export function careMethods(member: Member): [string, Method][] {
  const unary = (handle: Extract<Method, { kind: "unary" }>["handle"]): Method => ({
    kind: "unary",
    handle,
  });
  return [
    [
      "/quoratepb.Care/Usage",
      unary((call, bytes, start, end) => {
        const { prefix, depth } = decodeUsageRequest(bytes, start, end);
        const text = latin1(prefix, 0, prefix.length);
        member.care.survey((survey) => sendUsage(member, call, text, depth, survey));
      }),
    ],
    [
      "/quoratepb.Care/Writers",
      unary((call, bytes, start, end) => {
        sendWriters(member, call, decodeWritersRequest(bytes, start, end).limit);
      }),
    ],
    ["/quoratepb.Care/Forecast", withoutFields((call) => sendForecast(member, call))],
    ["/quoratepb.Care/Actions", withoutFields((call) => sendActions(member, call))],
    ["/quoratepb.Care/Quotas", withoutFields((call) => sendQuotas(member, call))],
  ];
}

function sendUsage(
  member: Member,
  call: UnaryCall,
  prefix: string,
  depth: number,
  survey: KeySurvey,
): void {
  const { mvcc, backend, care } = member;
  const depthMax = depth <= 0 ? Number.POSITIVE_INFINITY : depth;
  const rows = usageOf(mvcc.space, prefix, depthMax, survey);
  if (rows === undefined) {
    const known = mvcc.space.tree.pathOf(mvcc.space.tree.find(prefix));
    const text =
      `no account is kept of ${JSON.stringify(prefix)} by itself: ` +
      `it is counted in ${JSON.stringify(known)}`;
    call.fail(new RpcError(Code.NotFound, `etcdserver: ${text}`));
    return;
  }
  const mostWritten = survey.mostWritten();
  send(call, usage, {
    header: member.headerAt(),
    uptimeMs: Math.round(care.uptimeMs),
    prefixes: rows.map(prefixUsage),
    largest: survey.largest().map(keyUsage),
    mostWritten: mostWritten.map(keyUsage),
    findings: findings(member, mostWritten),
    dbSize: backend.sizeBytes,
    dbSizeInUse: backend.sizeInUseBytes,
    dbSizeQuota: quotaOf(member),
    compactRevision: Math.max(0, mvcc.compactRevision),
  });
}

function prefixUsage(row: PrefixRow): PrefixUsageInit {
  const of = (column: number): number => row.sums[column]!;
  return {
    prefix: latin1Bytes(row.prefix),
    depth: row.depth,
    keys: of(Column.Keys),
    liveBytes: of(Column.LiveBytes),
    historyBytes: of(Column.HistoryBytes),
    historyRecords: of(Column.HistoryRecords),
    tombstones: of(Column.Tombstones),
    creates: of(Column.Creates),
    updates: of(Column.Updates),
    deletes: of(Column.Deletes),
    writtenBytes: of(Column.WrittenBytes),
    largestBytes: row.largestBytes,
    largestKey: latin1Bytes(row.largestKey),
    coarse: row.isCoarse,
  };
}

function keyUsage({ key, bytes, version, createRevision, modRevision }: SurveyedKey): KeyUsageInit {
  return { key: latin1Bytes(key), bytes, version, createRevision, modRevision };
}

function findings(member: Member, mostWritten: readonly SurveyedKey[]): FindingInit[] {
  const { mvcc, state, care } = member;
  return findPatterns({
    space: mvcc.space,
    currentRevision: mvcc.currentRevision,
    compactRevision: mvcc.compactRevision,
    mostWritten,
    leaseCount: state.leases.count,
    emptyLeaseCount: emptyLeases(member),
    intervalsOf: care.intervalsOf,
  }).map((finding) => ({ ...finding, subject: latin1Bytes(finding.subject) }));
}

function emptyLeases({ state }: Member): number {
  let count = 0;
  for (const lease of state.leases.all()) if (lease.slots.size === 0) count++;
  return count;
}

function sendWriters(member: Member, call: UnaryCall, limit: number): void {
  const { care, state } = member;
  const nowMs = member.clock.monotonicMs();
  const rows = care.writers.top(limit > 0 ? limit : WRITERS_DEFAULT);
  const leases: Lease[] = [];
  for (const lease of state.leases.all()) if (lease.writes > 0) leases.push(lease);
  leases.sort((a, b) => b.writes - a.writes);
  send(call, writers, {
    header: member.headerAt(),
    uptimeMs: Math.round(care.uptimeMs),
    writers: rows.map((row): WriterInit => {
      const [puts = 0, txns = 0, deletes = 0, leaseCount = 0] = row.counts;
      const { certificateName, address, agent, bytes, refused, uncertain } = row;
      const idleMs = Math.max(0, Math.round(nowMs - row.lastMs));
      return {
        ...{ certificateName, address, agent, puts, txns, deletes, leases: leaseCount, bytes },
        ...{ refused, uncertain, idleMs },
      };
    }),
    writes: care.writers.writes,
    bytes: care.writers.bytes,
    leases: leases.slice(0, LEASES_MAX).map(({ id, ttl, slots, writes, writtenBytes }) => ({
      ...{ lease: id, ttl, keys: slots.size, writes, bytes: writtenBytes },
    })),
    leaseCount: state.leases.count,
    emptyLeaseCount: emptyLeases(member),
  });
}

function sendForecast(member: Member, call: UnaryCall): void {
  const { care, state } = member;
  const now = care.now();
  const rates = care.growth.rates(now);
  const { quotaBytes } = state.quota;
  const figures = care.self.figures();
  const liveFileBytes = copyBytesOf({
    ...{ ...figures, historyBytes: 0 },
    recordCount: state.mvcc.index.liveCount,
  });
  const next = care.self.next();
  const nextText = "reason" in next ? `${next.action}: ${next.reason}` : "";
  const perHour = (perMs: number): number => Math.round(perMs * HOUR_MS);
  send(call, forecast, {
    header: member.headerAt(),
    windowMs: Math.round(rates.windowMs),
    dbSize: now.fileBytes,
    dbSizeInUse: now.inUseBytes,
    dbSizeQuota: quotaOf(member),
    liveBytes: now.liveBytes,
    historyBytes: now.historyBytes,
    inUseBytesPerHour: perHour(rates.inUseBytesPerMs),
    liveBytesPerHour: perHour(rates.liveBytesPerMs),
    historyBytesPerHour: perHour(rates.historyBytesPerMs),
    revisionsPerHour: perHour(rates.revisionsPerMs),
    quotaInMs: reachedInMs(now.inUseBytes, rates.inUseBytesPerMs, quotaBytes),
    quotaOfLiveInMs: reachedInMs(liveFileBytes, rates.liveBytesPerMs, quotaBytes),
    selfCare: care.self.mode,
    nextAction: nextText,
  });
}

function sendActions(member: Member, call: UnaryCall): void {
  const { self } = member.care;
  send(call, actions, {
    header: member.headerAt(),
    selfCare: self.mode,
    actions: self.events.map((event) => ({ ...event, tookMs: Math.round(event.tookMs) })),
  });
}

function sendQuotas(member: Member, call: UnaryCall): void {
  const limit = (value: number): number => (Number.isFinite(value) ? value : -1);
  send(call, quotas, {
    header: member.headerAt(),
    quotas: member.care.quotas.states.map(({ prefix, quota, room }): QuotaUsageInit => {
      const used = { prefix: latin1Bytes(prefix), bytes: room.bytes(), keys: room.keys() };
      if (typeof quota === "string") return { ...used, problem: quota };
      return { ...used, bytesMax: limit(quota.bytesMax), keysMax: limit(quota.keysMax) };
    }),
  });
}

/** As in Status: 0 is none. */
function quotaOf(member: Member): number {
  const { quotaBytes } = member.state.quota;
  return Number.isFinite(quotaBytes) ? quotaBytes : 0;
}
