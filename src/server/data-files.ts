// Where a member's files lie.
import type { Logger } from "../base/log.ts";
import type { Disk, Done } from "../io/io.ts";
import type { Member } from "../state/members/member-json.ts";
import type { WalSnapshot } from "../storage/wal/read-log.ts";

export class DataDir {
  readonly databasePath: string;
  readonly walDirectory: string;
  readonly hasWal: boolean;
  constructor(disk: Disk, options: { dataDir: string; walDir: string | undefined }) {
    const member = `${options.dataDir}/member`;
    disk.makeDirectory(`${member}/snap`);
    this.databasePath = `${member}/snap/db`;
    this.walDirectory = options.walDir ?? `${member}/wal`;
    this.hasWal =
      disk.exists(this.walDirectory) &&
      disk.list(this.walDirectory).some((name) => name.endsWith(".wal"));
  }
  static open(disk: Disk, _log: Logger, options: { dataDir: string; walDir: string | undefined }): DataDir {
    return new DataDir(disk, options);
  }
  saveSnapshot(
    _snapshot: WalSnapshot & { readonly confState: NonNullable<WalSnapshot["confState"]> },
    _membership: { members: Member[]; removed: bigint[]; version: string | undefined },
    done: Done,
  ): void {
    done(null);
  }
  purgeSnapshots(_max: number): void {}
}
