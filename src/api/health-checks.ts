// /health, /livez and /readyz of the client port, as etcd 3.7 answers them
// (etcd.io/docs/v3.6/op-guide/monitoring). /livez asks: would a restart help? /readyz asks: should
// traffic come here? /health is the old one that load balancers and etcdctl's users know.

import type { Logger } from "../base/log.ts";
import { Counter, Family, Gauge } from "../base/metrics.ts";
import type { Member } from "../server/member.ts";
import { AlarmType } from "../wire/messages/rpc-maintenance.ts";
import type { HttpRequest, HttpResponse } from "../wire/rpc.ts";
import type { RpcError } from "../wire/status.ts";
import { alarmName } from "./alarm-name.ts";
import { methodNotAllowed, notFound, plainText } from "./http-answers.ts";

/** Null: healthy. The error is the reason why not. */
type Check = (member: Member) => Promise<string | null>;

const CHECKS: Record<string, Check> = {
  data_corruption: async (member) =>
    member.alarms.some(({ alarm }) => alarm === AlarmType.CORRUPT)
      ? "alarm activated: CORRUPT"
      : null,
  serializable_read: async (member) => readable(member, false),
  linearizable_read: async (member) => readable(member, true),
  non_learner: async (member) => (member.isLearner ? "not supported for learner" : null),
};
const LIVEZ = ["serializable_read"];
const READYZ = ["data_corruption", "serializable_read", "linearizable_read", "non_learner"];

export class HealthChecks {
  readonly successes: Counter = new Counter();
  readonly failures: Counter = new Counter();
  readonly checks: Family<Counter> = new Family(["type", "name", "status"], () => new Counter());
  readonly check: Family<Gauge> = new Family(["type", "name"], () => new Gauge());
  readonly #member: Member;
  readonly #log: Logger;

  constructor(member: Member, log: Logger) {
    this.#member = member;
    this.#log = log;
  }

  /** Undefined when the path is none of these. */
  handle(request: HttpRequest): HttpResponse | Promise<HttpResponse> | undefined {
    const path = request.path;
    if (path === "/health") return this.#health(request);
    const kind = path.startsWith("/livez") ? "livez" : path.startsWith("/readyz") ? "readyz" : "";
    if (kind === "") return undefined;
    const names = kind === "livez" ? LIVEZ : READYZ;
    const rest = path.slice(kind.length + 1);
    if (rest === "") return this.#several(request, kind, names);
    const name = rest.slice(1);
    if (!rest.startsWith("/") || (name !== "" && !names.includes(name))) return notFound();
    return name === "" ? this.#several(request, kind, names) : this.#several(request, kind, [name]);
  }

  async #health(request: HttpRequest): Promise<HttpResponse> {
    if (request.method !== "GET") return methodNotAllowed("GET");
    const excluded = request.query.getAll("exclude");
    const isSerializable = request.query.get("serializable") === "true";
    const reason = await this.#unhealthyReason(excluded, isSerializable);
    if (reason === "") this.successes.add();
    else this.failures.add();
    const body = JSON.stringify({ health: String(reason === ""), reason });
    if (reason !== "") this.#log.warn("/health error", { output: body, "status-code": 503 });
    return reason === "" ? { status: 200, headers: [], body } : plainText(503, `${body}\n`);
  }

  async #unhealthyReason(excluded: string[], isSerializable: boolean): Promise<string> {
    for (const { alarm, memberID } of this.#member.alarms) {
      const name = alarmName(alarm);
      if (excluded.includes(name)) continue;
      const fields = { alarm: `memberID:${memberID} alarm:${name}` };
      this.#log.warn("serving /health false due to an alarm", fields);
      return `ALARM ${name}`;
    }
    if (!isSerializable && !this.#member.hasLeader) {
      this.#log.warn("serving /health false; no leader");
      return "RAFT NO LEADER";
    }
    const error = await readable(this.#member, !isSerializable);
    if (error === null) return "";
    this.#log.warn("serving /health false; Range fails", { error });
    return `RANGE ERROR:${error}`;
  }

  async #several(request: HttpRequest, kind: string, names: string[]): Promise<HttpResponse> {
    if (request.method !== "GET") return methodNotAllowed("GET");
    const allowed = request.query.getAll("allowlist").filter((name) => name !== "");
    const excluded = request.query.getAll("exclude").filter((name) => name !== "");
    const chosen = choose(names, allowed, excluded);
    const lines: string[] = [];
    let hasFailed = false;
    for (const name of chosen) {
      const error = await CHECKS[name]!(this.#member);
      this.check.with(kind, name).set(error === null ? 1 : 0);
      this.checks.with(kind, name, error === null ? "success" : "error").add();
      if (error === null) lines.push(`[+]${name} ok\n`);
      else {
        hasFailed = true;
        lines.push(`[-]${name} failed: ${error}\n`);
      }
    }
    if (hasFailed) {
      const reason = lines.join("");
      const fields = { path: request.path, reason, "status-code": 503 };
      this.#log.error("Health check error", fields);
      return plainText(503, `${reason}\n`);
    }
    return plainText(200, request.query.has("verbose") ? `${lines.join("")}ok\n` : "ok\n");
  }
}

/** Both lists at once: the allow list is not honoured, as in etcd, which logs and runs all. */
function choose(names: string[], allowed: string[], excluded: string[]): string[] {
  if (allowed.length > 0 && excluded.length === 0) {
    return names.filter((name) => allowed.includes(name));
  }
  return names.filter((name) => !excluded.includes(name));
}

function readable(member: Member, isLinearizable: boolean): Promise<string | null> {
  if (!isLinearizable) return Promise.resolve(null);
  return new Promise((resolve) => {
    const waiter = {
      ready: () => resolve(null),
      fail: (error: RpcError) => resolve(error.message),
    };
    if (member.confirmRead(waiter)) resolve(null);
  });
}
