// The small texts of the gRPC protocol: timeouts, messages, and grpc-go's sentences for what is
// wrong with a call. Clients show these to people, and some compare them.

import { Code, RpcError } from "../wire/status.ts";

const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};
/** The protocol allows eight digits and a unit. */
const TIMEOUT_CHARS_MAX = 9;
const STATUS_MESSAGE_CHARS_MAX = 4096;

/** Milliseconds of a "grpc-timeout" value, or -1 when it is malformed. */
export function parseTimeout(text: string): number {
  if (text.length > TIMEOUT_CHARS_MAX || !/^[0-9]+[HMSmun]$/.test(text)) return -1;
  return Number(text.slice(0, -1)) * unitMs[text.at(-1)!]!;
}

export function malformedTimeout(text: string): RpcError {
  const quoted = JSON.stringify(text);
  let reason = `transport: timeout unit is not recognized: ${quoted}`;
  if (text.length < 2) reason = `transport: timeout string is too short: ${quoted}`;
  else if (text.length > TIMEOUT_CHARS_MAX)
    reason = `transport: timeout string is too long: ${quoted}`;
  else if (unitMs[text.at(-1)!] !== undefined)
    reason = `strconv.ParseUint: parsing ${JSON.stringify(text.slice(0, -1))}: invalid syntax`;
  return new RpcError(Code.Internal, `malformed grpc-timeout: ${reason}`);
}

/** Whether "content-type" is of gRPC: "application/grpc", "…+proto", "…;charset". */
export function isGrpcContentType(value: string): boolean {
  return /^application\/grpc($|[+;])/i.test(value);
}

/** A "grpc-message" value: what is not printable ASCII, and "%", as %XX of its UTF-8. */
export function percentEncode(message: string): string {
  const text =
    message.length > STATUS_MESSAGE_CHARS_MAX
      ? message.slice(0, STATUS_MESSAGE_CHARS_MAX)
      : message;
  if (/^[ -$&-~]*$/.test(text)) return text;
  let result = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    result += isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return result;
}

export function unknownMethod(path: string, services: ReadonlySet<string>): RpcError {
  const name = path.startsWith("/") ? path.slice(1) : path;
  const slash = name.lastIndexOf("/");
  if (slash < 0) {
    return new RpcError(Code.Unimplemented, `malformed method name: ${JSON.stringify(path)}`);
  }
  const service = name.slice(0, slash);
  if (!services.has(service)) return new RpcError(Code.Unimplemented, `unknown service ${service}`);
  const method = name.slice(slash + 1);
  return new RpcError(Code.Unimplemented, `unknown method ${method} for service ${service}`);
}

export function unknownEncoding(encoding: string): RpcError {
  const quoted = JSON.stringify(encoding);
  return new RpcError(
    Code.Unimplemented,
    `grpc: Decompressor is not installed for grpc-encoding ${quoted}`,
  );
}

export function messageTooLarge(bytes: number, bytesMax: number): RpcError {
  return new RpcError(
    Code.ResourceExhausted,
    `grpc: received message larger than max (${bytes} vs. ${bytesMax})`,
  );
}

export function decompressedTooLarge(bytesMax: number): RpcError {
  return new RpcError(
    Code.ResourceExhausted,
    `grpc: received message after decompression larger than max ${bytesMax}`,
  );
}

export function tooLargeToSend(bytes: number, bytesMax: number): RpcError {
  return new RpcError(
    Code.ResourceExhausted,
    `grpc: trying to send message larger than max (${bytes} vs. ${bytesMax})`,
  );
}

export const compressedWithoutEncoding: RpcError = new RpcError(
  Code.Internal,
  "grpc: compressed flag set with identity or empty encoding",
);

export const deadlineExceeded: RpcError = new RpcError(
  Code.DeadlineExceeded,
  "context deadline exceeded",
);

/** Ours: etcd has no such limit. */
export const tooMuchQueued: RpcError = new RpcError(
  Code.ResourceExhausted,
  "grpc: too many bytes of answers wait for the client to read them",
);
export const tooMuchUnfinished: RpcError = new RpcError(
  Code.ResourceExhausted,
  "grpc: too many bytes of incomplete requests",
);
export const requestStalled: RpcError = new RpcError(
  Code.Canceled,
  "grpc: the request message did not arrive in time",
);
