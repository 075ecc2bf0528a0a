// DeleteRangeRequest as offsets into the bytes that hold it.

import { Reader } from "../../wire/protobuf/reader.ts";

export class DeleteView {
  keyStart = 0;
  keyEnd = 0;
  rangeEndStart = 0;
  rangeEndEnd = 0;
  prevKv = false;
}

const reader = new Reader(new Uint8Array(0), 0, 0);

/** An absent key or range end is an empty range. */
export function readDelete(bytes: Uint8Array, start: number, end: number, out: DeleteView): void {
  const r = reader;
  r.reset(bytes, start, end);
  out.keyStart = out.keyEnd = start;
  out.rangeEndStart = out.rangeEndEnd = start;
  out.prevKv = false;
  while (r.at < end) {
    const tag = r.tag();
    switch (tag) {
      case (1 << 3) | 2: {
        const length = r.length();
        out.keyStart = r.at;
        out.keyEnd = r.at += length;
        break;
      }
      case (2 << 3) | 2: {
        const length = r.length();
        out.rangeEndStart = r.at;
        out.rangeEndEnd = r.at += length;
        break;
      }
      case 3 << 3:
        out.prevKv = r.bool();
        break;
      default:
        r.skip(tag);
    }
  }
}
