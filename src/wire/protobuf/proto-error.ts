// Malformed protobuf. The texts are those of Go's library: they reach clients inside grpc-message.

export class ProtoError extends Error {
  override readonly name: string = "ProtoError";
}

export const MALFORMED_TEXT = "proto: cannot parse invalid wire-format data";
export const INVALID_UTF8_TEXT = "string field contains invalid UTF-8";
export const TOO_DEEP_TEXT = "proto: exceeded maximum recursion depth";
