// Bytes as lines of a transcript that survive editors: what cannot be seen is spelled out.

/** `\t` as <0x09>, a space at the end as <SP>, other invisible characters as <U+00A0>. */
export function visible(line: string): string {
  const shown = line.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (character) => {
    const point = character.codePointAt(0)!;
    // Bytes that are not UTF-8 were decoded to lone low surrogates.
    if (point >= 0xdc80 && point <= 0xdcff) return hex(point - 0xdc00);
    return point < 0x80 ? hex(point) : `<U+${point.toString(16).toUpperCase().padStart(4, "0")}>`;
  });
  return shown.endsWith(" ") ? `${shown.slice(0, -1)}<SP>` : shown;
}

function hex(byte: number): string {
  return `<0x${byte.toString(16).padStart(2, "0")}>`;
}

/** A word of a command, with what is spelled out as it is. */
export function invisible(word: string): string {
  return word
    .replaceAll("<SP>", " ")
    .replace(/<0x([0-9a-f]{2})>/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    );
}

/** UTF-8, where a byte that does not belong to it becomes the surrogate 0xdc00 + byte. */
export function decodeLoosely(bytes: Uint8Array): string {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = sequence(bytes, at, strict);
    if (length === 0) {
      text += String.fromCharCode(0xdc00 + bytes[at]!);
      at++;
    } else {
      text += strict.decode(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return text;
}

/** Bytes of the valid stretch that starts here: a run of ASCII, or one character. */
function sequence(
  bytes: Uint8Array,
  from: number,
  strict: InstanceType<typeof TextDecoder>,
): number {
  let at = from;
  while (at < bytes.length && bytes[at]! < 0x80) at++;
  if (at > from) return at - from;
  for (let length = 2; length <= 4 && from + length <= bytes.length; length++) {
    try {
      strict.decode(bytes.subarray(from, from + length));
      return length;
    } catch {
      // Longer, or not UTF-8 at all.
    }
  }
  return 0;
}

/** The lines `| text` back as bytes; the opposite of `visible` for what inputs have in them. */
export function bytesOfBlock(lines: readonly string[]): Buffer {
  const text = lines.map((line) => line.slice(2)).join("\n");
  const ended = text.endsWith("<NO-NEWLINE>") ? text.slice(0, -12) : `${text}\n`;
  const parts = ended.replaceAll("<SP>", " ").split(/<0x([0-9a-f]{2})>/);
  return Buffer.concat(
    parts.map((part, at) =>
      at % 2 === 1 ? Buffer.from(part, "hex") : Buffer.from(part.replace(/<U\+(\w+)>/g, point)),
    ),
  );
}

function point(_: string, digits: string): string {
  return String.fromCodePoint(Number.parseInt(digits, 16));
}
