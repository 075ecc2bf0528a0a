// How much garbage may come before V8 looks for it in all of its memory. By itself V8 does so when
// a few megabytes have come: with a large database every two seconds, 20 to 40 ms each, and that
// was the longest that a put had to wait. As much as is in use is how Go has it (GOGC=100).
//
// What sockets and files bring counts as garbage, too, so for a small member as much as is in use
// is next to nothing: it would look a hundred times while it receives a database of a gigabyte.

import { getHeapStatistics, setFlagsFromString } from "node:v8";

const GROWTH_BYTES_MIN = 64 * 1024 * 1024;
/** V8 asks for the percentage at the end of each look. */
const PERIOD_MS = 1000;

/** In percent of what is in use. */
export function heapGrowthPercent(usedBytes: number): number {
  return Math.max(100, Math.ceil((100 * GROWTH_BYTES_MIN) / usedBytes));
}

/** For as long as the process lives. */
export function keepHeapGrowth(): void {
  let percent = 0;
  const look = (): void => {
    const wanted = heapGrowthPercent(getHeapStatistics().used_heap_size);
    if (wanted === percent) return;
    percent = wanted;
    setFlagsFromString(`--heap-growing-percent=${percent}`);
  };
  look();
  setInterval(look, PERIOD_MS).unref();
}
