// The "simple" format: bare lines for people and shells.

import type { KeyValue } from "../../../wire/messages/kv.ts";
import type { Piece } from "../console.ts";
import type { Style } from "./view.ts";

/** Bytes as they are, or as `\x66\x6f`. */
export function plain(bytes: Uint8Array, style: Style): Piece {
  if (!style.hex) return bytes;
  let text = "";
  for (const byte of bytes) text += `\\x${byte.toString(16).padStart(2, "0")}`;
  return text;
}

export function keyValueLines(kv: KeyValue, style: Style): Piece[] {
  return [plain(kv.key, style), "\n", plain(kv.value, style), "\n"];
}
