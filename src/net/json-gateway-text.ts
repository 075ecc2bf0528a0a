// What the gateway says besides messages: errors as JSON, their HTTP status, and the request
// headers that are metadata of the call.

import type { IncomingHttpHeaders } from "node:http";
import { Code, RpcError } from "../wire/status.ts";
import type { JsonStyle } from "../wire/to-json.ts";
import { quoteJson } from "../wire/to-json.ts";

const STATUS_OF_CODE: Readonly<Record<Code, number>> = {
  [Code.OK]: 200,
  [Code.Canceled]: 499,
  [Code.Unknown]: 500,
  [Code.InvalidArgument]: 400,
  [Code.DeadlineExceeded]: 504,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.FailedPrecondition]: 400,
  [Code.Aborted]: 409,
  [Code.OutOfRange]: 400,
  [Code.Unimplemented]: 501,
  [Code.Internal]: 500,
  [Code.Unavailable]: 503,
  [Code.DataLoss]: 500,
  [Code.Unauthenticated]: 401,
};

export function httpStatusOf(code: Code): number {
  return STATUS_OF_CODE[code];
}

/** google.rpc.Status as JSON. */
export function errorJson(error: RpcError, style: JsonStyle): string {
  const parts: string[] = [];
  if (error.code !== Code.OK) parts.push(`"code":${error.code}`);
  if (error.message !== "") parts.push(`"message":${quoteJson(error.message, style)}`);
  return `{${parts.join(style === "spaced" ? ", " : ",")}}`;
}

export const notFound: RpcError = new RpcError(Code.NotFound, "Not Found");
export const methodNotAllowed: RpcError = new RpcError(Code.Unimplemented, "Method Not Allowed");

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Milliseconds of a Grpc-Timeout header; 0 is none. Texts and rules differ from gRPC's. */
export function parseGatewayTimeout(text: string): number | RpcError {
  const match = /^([+-]?[0-9]+)([HMSmun])$/.exec(text);
  if (match === null) return new RpcError(Code.InvalidArgument, `invalid grpc-timeout: ${text}`);
  return Number(match[1]) * UNIT_MS[match[2]!]!;
}

/**
 * Metadata by lower-case name: `Authorization` as it is, `Grpc-Metadata-X` as x, and other headers
 * as grpcgateway-x.
 */
export function gatewayMetadata(headers: IncomingHttpHeaders, name: string): string | undefined {
  if (name === "authorization") return headerOf(headers, name);
  if (name.startsWith("grpcgateway-")) {
    return headerOf(headers, name.slice("grpcgateway-".length));
  }
  return headerOf(headers, `grpc-metadata-${name}`);
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
