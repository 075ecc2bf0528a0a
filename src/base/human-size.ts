// Sizes for people: powers of a thousand, one digit behind the point below ten.

const units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

export function humanSize(sizeBytes: number): string {
  if (sizeBytes < 10) return `${sizeBytes} B`;
  const power = Math.min(units.length - 1, Math.floor(Math.log10(sizeBytes) / 3 + 1e-12));
  const value = Math.floor((sizeBytes / 1000 ** power) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : roundHalfEven(value)} ${units[power]}`;
}

/** As Go prints without decimals: 20.5 is 20, 21.5 is 22. */
function roundHalfEven(value: number): number {
  const whole = Math.floor(value);
  if (value - whole !== 0.5) return Math.round(value);
  return whole % 2 === 0 ? whole : whole + 1;
}
