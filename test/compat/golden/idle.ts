// When has a program that goes on done what it was about to do? A fixed time is too short on a
// machine that is busy with other things: none of its threads must be running or waiting to run.

import { readdirSync, readFileSync } from "node:fs";
import { sleep } from "./member.ts";

const LOOK_MS = 50;
/** So long nothing of it may have run. */
const STILL_MS = 200;
/** One that never rests is taken as it is. */
const LIMIT_MS = 15_000;

/** After `leastMs`, when it rests; at once when it has ended. */
export async function untilIdle(pid: number, leastMs: number): Promise<void> {
  await sleep(leastMs);
  const deadline = performance.now() + LIMIT_MS;
  let last = activityOf(pid);
  let stillSince = performance.now();
  while (performance.now() < deadline && performance.now() - stillSince < STILL_MS) {
    await sleep(LOOK_MS);
    const now = activityOf(pid);
    if (now === undefined) return;
    if (now !== last || now.includes("R")) stillSince = performance.now();
    last = now;
  }
}

/** State and processor time of each thread; undefined when it has ended, or on other systems. */
function activityOf(pid: number): string | undefined {
  try {
    const threads = readdirSync(`/proc/${pid}/task`).map((thread) => {
      const text = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
      // The name before may contain anything.
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      return `${fields[0]} ${fields[11]} ${fields[12]}`;
    });
    return threads.join();
  } catch {
    return undefined;
  }
}
