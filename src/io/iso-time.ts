// Calendar time as text. Here, because only this folder may use Date.

/** RFC 3339 with milliseconds, UTC. */
export function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
