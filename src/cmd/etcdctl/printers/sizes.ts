// Sizes for people: powers of a thousand, one digit behind the point below ten.

const units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

export function humanSize(sizeBytes: number): string {
  if (sizeBytes < 10) return `${sizeBytes} B`;
  const power = Math.min(units.length - 1, Math.floor(Math.log10(sizeBytes) / 3 + 1e-12));
  const value = Math.floor((sizeBytes / 1000 ** power) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${units[power]}`;
}
