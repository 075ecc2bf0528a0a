// Methods whose request has no fields: what cannot be read is refused all the same.

import { Reader } from "../wire/protobuf/reader.ts";
import type { Method, UnaryCall } from "../wire/rpc.ts";

/** Reads over all fields of the request, which nobody knows here. */
export function withoutFields(handle: (call: UnaryCall) => void): Method {
  return {
    kind: "unary",
    handle: (call, bytes, start, end) => {
      skipAll(new Reader(bytes, start, end));
      handle(call);
    },
  };
}

function skipAll(reader: Reader): void {
  while (reader.at < reader.end) reader.skip(reader.tag());
}
