// Sizes for people, as etcd prints them.

const units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/** In powers of 1000 and two digits, as etcd shows sizes: 2.1 GB, 10 MB, 512 B. */
export function humanSize(sizeBytes: number): string {
  let unit = 0;
  let value = sizeBytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  if (sizeBytes < 10) return `${sizeBytes} B`;
  const rounded = Math.floor(value * 10 + 0.5) / 10;
  return `${rounded < 10 ? rounded.toFixed(1) : halfToEven(rounded)} ${units[unit]}`;
}

/** 20.5 is 20, as Go prints it; JavaScript would make it 21. */
function halfToEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}
