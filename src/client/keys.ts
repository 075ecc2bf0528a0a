// Ranges of keys, as requests name them: [key, rangeEnd), with two special ends.

/** As the end of a range: every key from `key` on. As key and end: all keys. */
export const EVERYTHING_AFTER: Uint8Array = Uint8Array.of(0);

/** The end of the range of all keys that begin with `prefix`. */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  for (let i = prefix.length - 1; i >= 0; i--) {
    if (prefix[i]! === 0xff) continue;
    // Not slice(): that of a Buffer shares its bytes.
    const end = new Uint8Array(prefix.subarray(0, i + 1));
    end[i]!++;
    return end;
  }
  // No key is greater than all that begin with ff…: the range is open.
  return EVERYTHING_AFTER;
}
