// SETTINGS of the peer (RFC 9113, 6.5). They may come after requests have been answered: open
// streams are adjusted by the difference, and their windows may become negative.

import {
  ConnectionError,
  ErrorCode,
  FRAME_PAYLOAD_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  readUint32,
  Setting,
  WINDOW_BYTES_MAX,
} from "./frames.ts";
import type { Http2Sender } from "./http2-sender.ts";
import type { Http2Stream } from "./http2-stream.ts";
import type { StreamTable } from "./stream-table.ts";

const SETTING_BYTES = 6;

/** @throws ConnectionError for a value that the protocol does not allow */
export function applySettings(
  sender: Http2Sender,
  streams: StreamTable<Http2Stream>,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  if ((end - start) % SETTING_BYTES !== 0) {
    throw new ConnectionError(ErrorCode.FrameSizeError, "SETTINGS of a wrong size");
  }
  for (let at = start; at < end; at += SETTING_BYTES) {
    const id = (bytes[at]! << 8) | bytes[at + 1]!;
    const value = readUint32(bytes, at + 2);
    if (id === Setting.HeaderTableSize) sender.encoder.setPeerLimit(value);
    else if (id === Setting.InitialWindowSize) setInitialWindow(sender, streams, value);
    else if (id === Setting.EnablePush) check(value <= 1, "ENABLE_PUSH");
    else if (id === Setting.MaxFrameSize) {
      // Larger frames are allowed to us then, but 16 KiB let streams take turns.
      check(value >= FRAME_PAYLOAD_BYTES && value <= FRAME_PAYLOAD_BYTES_MAX, "MAX_FRAME_SIZE");
    }
  }
}

function setInitialWindow(
  sender: Http2Sender,
  streams: StreamTable<Http2Stream>,
  value: number,
): void {
  if (value > WINDOW_BYTES_MAX) throw windowTooLarge();
  const change = value - sender.peerWindowBytes;
  sender.peerWindowBytes = value;
  for (const stream of streams.all()) {
    if (!sender.addStreamWindow(stream, change)) throw windowTooLarge();
  }
}

function check(isLegal: boolean, name: string): void {
  if (!isLegal) throw new ConnectionError(ErrorCode.ProtocolError, `wrong value of ${name}`);
}

function windowTooLarge(): ConnectionError {
  return new ConnectionError(ErrorCode.FlowControlError, "window too large");
}
