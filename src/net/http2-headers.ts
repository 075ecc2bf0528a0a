// The header frames of a stream, written into the connection's output: what it says before and
// after its data.

import { Flag, FRAME_HEADER_BYTES, FrameType, writeFrameHeader } from "./frames.ts";
import { fieldsBytesMax, GRPC_BLOCK_BYTES_MAX, type HpackEncoder } from "./hpack-encoder.ts";
import type { Ending, Fields } from "./http2-stream.ts";
import type { OutputBuffer } from "./output-buffer.ts";

const LAST = Flag.EndHeaders | Flag.EndStream;

/** END_STREAM, and what is said with it. */
export function writeEnding(
  output: OutputBuffer,
  encoder: HpackEncoder,
  streamId: number,
  ending: Ending,
): void {
  switch (ending.kind) {
    case "grpc-ok": {
      output.ensure(FRAME_HEADER_BYTES + GRPC_BLOCK_BYTES_MAX);
      const { bytes, length: at } = output;
      const end = encoder.writeGrpcOk(bytes, at + FRAME_HEADER_BYTES);
      writeFrameHeader(bytes, at, end - at - FRAME_HEADER_BYTES, FrameType.Headers, LAST, streamId);
      output.length = end;
      break;
    }
    case "fields":
      writeHeaders(output, encoder, streamId, ending.fields, Flag.EndStream);
      break;
    case "empty-data": {
      output.ensure(FRAME_HEADER_BYTES);
      const { bytes, length: at } = output;
      output.length = writeFrameHeader(bytes, at, 0, FrameType.Data, Flag.EndStream, streamId);
      break;
    }
  }
}

/** HEADERS with any fields. */
export function writeHeaders(
  output: OutputBuffer,
  encoder: HpackEncoder,
  streamId: number,
  fields: Fields,
  flags: number,
): void {
  output.ensure(FRAME_HEADER_BYTES + fieldsBytesMax(fields));
  const { bytes, length: at } = output;
  const end = encoder.writeFields(bytes, at + FRAME_HEADER_BYTES, fields);
  const length = end - at - FRAME_HEADER_BYTES;
  writeFrameHeader(bytes, at, length, FrameType.Headers, Flag.EndHeaders | flags, streamId);
  output.length = end;
}
