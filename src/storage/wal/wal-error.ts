const REMEDY =
  "restore this member from a backup, or remove it from the cluster and add it again with an " +
  "empty data directory";

/** The log cannot be trusted: the member must not start on it. */
export class WalError extends Error {
  override readonly name: string = "WalError";
  readonly path: string;
  readonly offset: number | undefined;

  constructor(path: string, offset: number | undefined, what: string, remedy: string = REMEDY) {
    const where = offset === undefined ? path : `${path} at byte ${offset}`;
    super(`write-ahead log ${where}: ${what}; ${remedy}`);
    this.path = path;
    this.offset = offset;
  }
}
