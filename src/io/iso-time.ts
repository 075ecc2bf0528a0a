// Calendar time as text. Here, because only this folder may use Date.

/** RFC 3339 with milliseconds, UTC. */
export function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

/** The other way; NaN when it is none. */
export function unixMsOfIso(text: string): number {
  return Date.parse(text);
}
