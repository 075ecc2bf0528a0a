// Sending an answer that is not hot: sized, reserved, written in place.

import type { StreamCall, UnaryCall } from "../wire/rpc.ts";

/** The pair of functions that the generator makes for each message. */
export interface Encoder<Init> {
  size(message: Init): number;
  write(message: Init, target: Uint8Array, at: number): number;
}

export function send<Init>(call: UnaryCall, encoder: Encoder<Init>, message: Init): void {
  const at = call.reserve(encoder.size(message));
  encoder.write(message, call.buffer, at);
  call.send();
}

export function sendOne<Init>(call: StreamCall, encoder: Encoder<Init>, message: Init): void {
  const at = call.reserve(encoder.size(message));
  encoder.write(message, call.buffer, at);
  call.sendMessage();
}
