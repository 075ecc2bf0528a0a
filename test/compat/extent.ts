// How much is compared with etcd. CI has a quarter of an hour: it takes of each kind of pairing the
// ones that differ most. `QUORATE_COMPAT=all` takes all, before a release.

const IS_ALL = process.env["QUORATE_COMPAT"] === "all";

/** The first `usual` of them, or all. */
export function extent<T>(all: readonly T[], usual: number): readonly T[] {
  return IS_ALL ? all : all.slice(0, usual);
}

/** Operations, rounds and the like. */
export function amount(usual: number, all: number): number {
  return IS_ALL ? all : usual;
}
