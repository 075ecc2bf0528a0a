// The version of what is in a database: a field of it since 3.6, which follows the version of the
// cluster. Each minor version may change what is stored, so the way from one to another goes over
// all between them, and ends at the first that is not known here.

export interface StorageVersion {
  readonly major: number;
  readonly minor: number;
}

/** What this program writes and reads. */
export const STORAGE_VERSION: StorageVersion = { major: 3, minor: 7 };
/** The first version that writes its version into the database. */
export const FIRST_WRITTEN_MINOR = 6;

/** "3.7.0" of "3.7"; undefined for a text that is no version. */
export function parseStorageVersion(text: string): StorageVersion | undefined {
  const match = /^(\d+)\.(\d+)\.\d+/.exec(text);
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

export function storageVersionText({ major, minor }: StorageVersion): string {
  return `${major}.${minor}.0`;
}

/** Why there is no way from one version to the other, in etcd's words, or undefined. */
export function storageVersionProblem(
  current: StorageVersion,
  target: StorageVersion,
): string | undefined {
  const { major } = current;
  if (major !== target.major) return "changing major storage version is not supported";
  const lower = Math.min(current.minor, target.minor);
  const higher = Math.max(current.minor, target.minor);
  const steps: number[] = [];
  for (let minor = lower + 1; minor <= higher; minor++) steps.push(minor);
  if (target.minor < current.minor) steps.reverse();
  for (const minor of steps) {
    const isKnown = minor >= FIRST_WRITTEN_MINOR && minor <= STORAGE_VERSION.minor;
    if (!isKnown) return `version "${storageVersionText({ major, minor })}" is not supported`;
  }
  return undefined;
}
