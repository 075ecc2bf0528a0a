// Streams the database of one member into `<file>.part`, which becomes `<file>` when it is whole
// and on disk: a backup that exists is complete.

import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { formatDuration } from "../../base/duration-text.ts";
import { fileErrorText } from "../../base/file-error.ts";
import { humanSize } from "../../base/human-size.ts";
import { errorText, statusText } from "../../client/errors.ts";
import { Maintenance } from "../../client/maintenance.ts";
import type { SnapshotResponse } from "../../wire/messages/rpc-maintenance.ts";
import { RpcError } from "../../wire/status.ts";
import type { Body } from "../flags/command.ts";
import { badArguments, Exit, ExitCode } from "./exit.ts";
import { logLine } from "./log.ts";
import { Progress } from "./progress.ts";
import type { Session } from "./session.ts";

/** The stream ends with this many bytes that are not the database's: its SHA-256. */
const HASH_BYTES = 32;

export interface Saved {
  readonly sizeBytes: number;
  readonly version: string;
}

function interrupted(text: string): Exit {
  return new Exit(ExitCode.Interrupted, text);
}

function info(session: Session, message: string, fields: Record<string, string>): void {
  session.console.err(logLine("info", "", "etcdctl/snapshot-save.ts", message, fields));
}

/** Writes what arrives and checks it against the hash at its end. */
async function receive(
  session: Session,
  pieces: AsyncIterable<SnapshotResponse>,
  descriptor: number,
): Promise<Saved> {
  const progress = new Progress(session.console, session.world.nowMs);
  const hash = createHash("sha256");
  let sizeBytes = 0;
  let version = "";
  let tail: Uint8Array = new Uint8Array(0);
  try {
    for await (const { blob, remainingBytes, version: server } of pieces) {
      if (sizeBytes === 0) info(session, "opened snapshot stream; downloading", {});
      writeWhole(descriptor, blob);
      sizeBytes += blob.length;
      version = server === "" ? version : server;
      const pending = Buffer.concat([tail, blob]);
      const end = Math.max(0, pending.length - HASH_BYTES);
      hash.update(pending.subarray(0, end));
      tail = pending.subarray(end);
      const total = sizeBytes + remainingBytes;
      progress.update(sizeBytes, total, `${humanSize(sizeBytes)} of ${humanSize(total)}`);
    }
  } finally {
    progress.end();
  }
  if (Buffer.compare(hash.digest(), tail) !== 0) {
    throw interrupted("the snapshot arrived damaged: its SHA-256 does not match");
  }
  info(session, "completed snapshot read; closing", {});
  return { sizeBytes, version };
}

function writeWhole(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}

function open(path: string): number {
  try {
    return openSync(path, "w", 0o600);
  } catch (error) {
    throw interrupted(`could not open ${path} (${fileErrorText("open", path, error)})`);
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It may have been renamed already.
  }
}

/** A lost time limit or connection is told as such, an answer of the server with its code. */
function receiveErrorText(error: unknown): string {
  if (!(error instanceof RpcError)) return errorText(error);
  return error.message.startsWith("context ") ? error.message : statusText(error);
}

export async function save(session: Session, endpoint: string, path: string): Promise<Saved> {
  const part = `${path}.part`;
  const startMs = session.world.nowMs();
  const config = await session.config();
  const caller = await session.openCaller({ ...config, endpoints: [endpoint] }, "client");
  const descriptor = open(part);
  try {
    info(session, "created temporary db file", { path: part });
    // Backups take as long as they take, unless a limit was asked for.
    const { callOptions, patientOptions } = session;
    const options = session.globals.commandTimeoutNs.changed ? callOptions : patientOptions;
    const pieces = new Maintenance(caller).snapshot(options);
    info(session, "fetching snapshot", { endpoint });
    const saved = await receive(session, pieces, descriptor);
    fsyncSync(descriptor);
    const took = formatDuration((session.world.nowMs() - startMs) * 1e6);
    info(session, "fetched snapshot", {
      endpoint,
      size: humanSize(saved.sizeBytes),
      took,
      "etcd-version": saved.version,
    });
    rename(part, path);
    info(session, "saved", { path });
    return saved;
  } catch (error) {
    if (error instanceof Exit) throw error;
    throw interrupted(receiveErrorText(error));
  } finally {
    closeSync(descriptor);
    removeQuietly(part);
  }
}

function rename(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    const reason = fileErrorText("rename", `${from} ${to}`, error);
    throw interrupted(`could not rename ${from} to ${to} (${reason})`);
  }
}

export const body: Body<Session> = {
  example: `  # save the database of the member at the default endpoint
  etcdctl snapshot save backup.db

  # of another member, over TLS
  etcdctl --endpoints=https://10.0.0.1:2379 --cacert=ca.crt snapshot save backup.db

  # with the time in the name
  etcdctl snapshot save backup_$(date +%Y%m%d_%H%M%S).db`,
  prepare: () => async (session, args) => {
    const [path] = args;
    if (path === undefined || args.length > 1) {
      throw badArguments("snapshot save expects one argument <filename>");
    }
    const { endpoints } = await session.config();
    if (endpoints.length !== 1) {
      throw interrupted(
        "snapshot must be requested to one selected node, not multiple " +
          `[${endpoints.join(" ")}]`,
      );
    }
    const { version } = await save(session, endpoints[0]!, path);
    session.print(`Snapshot saved at ${path}\n`);
    if (version !== "") session.print(`Server version ${version}\n`);
  },
};
