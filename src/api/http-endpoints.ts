// The plain HTTP endpoints of the client port: health, version, metrics, debug.

import type { Member } from "../server/member.ts";
import { SERVER_VERSION } from "../server/options.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "../wire/rpc.ts";
import { type Metric, renderMetrics } from "./exposition.ts";
import type { HealthChecks } from "./health-checks.ts";
import { json, methodNotAllowed, notFound } from "./http-answers.ts";
import { raftStatus } from "./raft-status.ts";

/** What only the process knows; given by `cmd/`. */
export interface ProcessFacts {
  readonly commandLine: readonly string[];
  /** Memory in the shape of Go's runtime.MemStats, as far as it applies. */
  memoryStats(): Readonly<Record<string, number>>;
  fileDescriptorLimit(): number;
}

const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

export function clientHttpHandler(parts: {
  readonly member: Member;
  readonly health: HealthChecks;
  readonly metrics: readonly Metric[];
  readonly facts: ProcessFacts;
  readonly hasGateway: boolean;
}): HttpHandler {
  return (request) => {
    const path = cleanPath(request.path);
    if (path !== request.path) return redirect(request, path);
    switch (path) {
      case "/version":
        return request.method === "GET" ? version(parts.member) : methodNotAllowed("GET");
      case "/metrics":
        return metricsAnswer(parts.metrics);
      case "/v3":
        return parts.hasGateway ? redirect(request, "/v3/") : notFound();
      case "/debug/vars":
        return debugVars(parts.member, parts.facts);
      default:
        return parts.health.handle(request);
    }
  };
}

/** Without double slashes, "." and "..", as Go's mux wants its paths. */
function cleanPath(path: string): string {
  if (!path.includes("//") && !path.includes("/.")) return path;
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}${path.endsWith("/") && parts.length > 0 ? "/" : ""}`;
}

/** Go's mux, asked for a path in another form than its own. */
function redirect(request: HttpRequest, location: string): HttpResponse {
  const headers: [string, string][] = [["Location", location]];
  if (request.method !== "GET" && request.method !== "HEAD") {
    return { status: 307, headers, body: "" };
  }
  headers.push(["Content-Type", "text/html; charset=utf-8"]);
  return { status: 307, headers, body: `<a href="${location}">Temporary Redirect</a>.\n\n` };
}

/** `--listen-metrics-urls`: health and metrics only. */
export function metricsHttpHandler(health: HealthChecks, metrics: readonly Metric[]): HttpHandler {
  return (request) =>
    request.path === "/metrics" ? metricsAnswer(metrics) : health.handle(request);
}

function version(member: Member): HttpResponse {
  const etcdcluster = member.members.clusterVersion ?? "not_decided";
  const storage = member.storageVersion ?? "unknown";
  return json(JSON.stringify({ etcdserver: SERVER_VERSION, etcdcluster, storage }));
}

function metricsAnswer(metrics: readonly Metric[]): HttpResponse {
  const body = renderMetrics(metrics);
  return { status: 200, headers: [["Content-Type", METRICS_CONTENT_TYPE]], body };
}

/** The shape of Go's expvar: an object, one line per variable. */
function debugVars(member: Member, facts: ProcessFacts): HttpResponse {
  const variables: [string, unknown][] = [
    ["cmdline", facts.commandLine],
    ["file_descriptor_limit", facts.fileDescriptorLimit()],
    ["memstats", facts.memoryStats()],
    ["raft.status", raftStatus(member.raftStatus())],
  ];
  const lines = variables.map(
    ([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`,
  );
  return {
    status: 200,
    headers: [["Content-Type", "application/json; charset=utf-8"]],
    body: `{\n${lines.join(",\n")}\n}\n`,
  };
}
