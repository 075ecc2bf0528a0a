import type { Disk } from "../../src/io/io.ts";

/** All of a file, as whoever opens it now reads it. */
export function contentOf(disk: Disk, path: string): Uint8Array {
  const file = disk.open(path, { mode: "read" });
  const bytes = new Uint8Array(file.sizeBytes());
  file.read(bytes, 0);
  file.close();
  return bytes;
}
