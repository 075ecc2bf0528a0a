// Errors of files in the words of Go's library, which operators know from etcd and their tools look
// for: `write /data/member/wal/0.wal: no space left on device`. Node leaves the path out of those
// that come from a descriptor, which is most of them.

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EEXIST: "file exists",
  EISDIR: "is a directory",
  ENOTDIR: "not a directory",
  ENOTEMPTY: "directory not empty",
  EROFS: "read-only file system",
  ENOSPC: "no space left on device",
  EDQUOT: "disk quota exceeded",
  EFBIG: "file too large",
  EIO: "input/output error",
  EBADF: "bad file descriptor",
  EMFILE: "too many open files",
  ENFILE: "too many open files in system",
};

/** Why, without where. */
export function fileErrorReason(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  return (code === undefined ? undefined : REASONS[code]) ?? message;
}

/** `open x.db: no such file or directory` */
export function fileErrorText(operation: string, path: string, error: unknown): string {
  return `${operation} ${path}: ${fileErrorReason(error)}`;
}

/** What a file access failed with. */
export class FileError extends Error {
  override readonly name: string = "FileError";
  readonly code: string | undefined;
  readonly path: string;

  constructor(operation: string, path: string, cause: unknown) {
    super(fileErrorText(operation, path, cause), { cause });
    this.code = (cause as { code?: string }).code;
    this.path = path;
  }
}
