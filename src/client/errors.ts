// What calls fail with, and in which words etcd's clients tell it.

import { CONTEXT_CANCELED, CONTEXT_DEADLINE_EXCEEDED } from "../net/grpc-client-call.ts";
import { type ErrorName, Errors } from "../wire/errors.ts";
import { Code, RpcError } from "../wire/status.ts";

/** The client has nowhere to connect to. */
export const NO_AVAILABLE_ENDPOINTS: RpcError = new RpcError(
  Code.Unavailable,
  "etcdclient: no available endpoints",
);

/** It was closed while the call waited for a connection, or before. */
export const CLIENT_IS_CLOSING: RpcError = new RpcError(
  Code.Canceled,
  "grpc: the client connection is closing",
);

/** Errors of the server that clients do not know as etcd's own, and print with their code. */
const foreign: ReadonlySet<ErrorName> = new Set<ErrorName>([
  "Canceled",
  "WatchCanceled",
  "DeadlineExceeded",
  "InvalidClientAPIVersion",
  "PermissionNotGiven",
  "TimeoutWaitAppliedIndex",
]);

const knownTexts: ReadonlySet<string> = new Set(
  Object.entries(Errors)
    .filter(([name]) => !foreign.has(name as ErrorName))
    .map(([, error]) => error.message),
);

const ownErrors: readonly RpcError[] = [
  CONTEXT_CANCELED,
  CONTEXT_DEADLINE_EXCEEDED,
  NO_AVAILABLE_ENDPOINTS,
];

const nameOfCode: ReadonlyMap<number, string> = new Map(
  Object.entries(Code).map(([name, code]) => [code, name]),
);

/** `rpc error: code = NotFound desc = …`, as gRPC prints a status. */
export function statusText(error: RpcError): string {
  return `rpc error: code = ${nameOfCode.get(error.code) ?? error.code} desc = ${error.message}`;
}

/** The text that etcd's tools print: etcd's own errors stand for themselves. */
export function errorText(error: unknown): string {
  if (error instanceof RpcError) {
    if (ownErrors.includes(error) || knownTexts.has(error.message)) return error.message;
    return statusText(error);
  }
  return error instanceof Error ? error.message : String(error);
}

export function isError(error: unknown, expected: RpcError): boolean {
  return error instanceof RpcError && error.message === expected.message;
}
