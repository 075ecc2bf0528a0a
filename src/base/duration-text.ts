// Durations as Go prints them: logs and tools of etcd show no others.

/** A fraction of `digits` digits without its trailing zeros, with the point; "" for zero. */
function fraction(value: number, digits: number): string {
  const text = String(value).padStart(digits, "0").replace(/0+$/, "");
  return text === "" ? "" : `.${text}`;
}

/** As Duration.String(): `1.5ms`, `2m0s`, `0s`. */
export function formatDuration(ns: number): string {
  const sign = ns < 0 ? "-" : "";
  const value = Math.abs(Math.round(ns));
  if (value === 0) return "0s";
  if (value < 1e3) return `${sign}${value}ns`;
  if (value < 1e6) return `${sign}${Math.floor(value / 1e3)}${fraction(value % 1e3, 3)}\u00b5s`;
  if (value < 1e9) return `${sign}${Math.floor(value / 1e6)}${fraction(value % 1e6, 6)}ms`;
  const seconds = Math.floor(value / 1e9);
  const tail = `${seconds % 60}${fraction(value % 1e9, 9)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return sign + tail;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${sign}${minutes}m${tail}` : `${sign}${hours}h${minutes % 60}m${tail}`;
}

/** As `formatDuration`, of milliseconds: what a clock measured, to the nanosecond. */
export function durationText(ms: number): string {
  return formatDuration(ms * 1e6);
}
