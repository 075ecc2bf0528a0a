import fc from "fast-check";

/** Mostly what is usual: `weight` times as often as what is odd. */
export function oddly<T>(
  usual: fc.Arbitrary<T>,
  odd: fc.Arbitrary<T>,
  weight: number,
): fc.Arbitrary<T> {
  return fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: odd });
}
