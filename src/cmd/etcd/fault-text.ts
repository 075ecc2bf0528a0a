// What the last line of a member that gives up says: the error, and what to do about it.

import { FileError } from "../../base/file-error.ts";

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: "make room and start the member again",
  EDQUOT: "make room or raise the quota of the user, and start the member again",
  EIO: "the disk may be failing: restore this member from a backup on another one",
  EROFS: "make the file system writable",
  EACCES: "give the user of this process the right to it",
  EMFILE: "raise the limit of open files (ulimit -n)",
};

export function faultText(error: Error): string {
  const cause = fileErrorIn(error);
  const advice = cause?.code === undefined ? undefined : ADVICE[cause.code];
  return advice === undefined ? error.message : `${error.message}; ${advice}`;
}

/** A stack says nothing about a disk. */
export function isFileFault(error: Error): boolean {
  return fileErrorIn(error) !== undefined;
}

function fileErrorIn(error: unknown): FileError | undefined {
  if (error instanceof FileError) return error;
  return error instanceof Error ? fileErrorIn(error.cause) : undefined;
}
