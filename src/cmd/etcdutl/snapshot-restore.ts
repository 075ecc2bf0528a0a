import { isBackupName } from "../../server/care/backup-name.ts";
import { clusterIdOf, memberIdOf } from "../../server/identity.ts";
import { encodeMember } from "../../state/members/member-json.ts";
import { createRestoredDataDir, type RestoredMember } from "../../storage/snapshot/restore.ts";
import { type ClusterUrls, checkNewCluster, resolveByDns } from "../etcd/initial-cluster.ts";
import { type EtcdUrl, parseClusterUrls, parseUrls } from "../etcd/urls.ts";
import { badArguments, Exit } from "../etcdctl/exit.ts";
import type { Body } from "../flags/command.ts";
import type { Flag, FlagSet } from "../flags/flag-set.ts";
import { ParseError } from "../flags/go-text.ts";
import type { Session } from "./session.ts";

/** A mapping size means nothing here; the flag is known so that scripts go on working. */
const MEMORY_MAP_BYTES = 10n * 1024n ** 3n;
/** As etcd's manual advises: no cluster writes so often between a backup and its end. */
const BUMP_DEFAULT = 1_000_000_000;
const PEER_URL = "http://localhost:2380";

interface RestoreFlags {
  readonly dataDir: Flag<string>;
  readonly walDir: Flag<string>;
  readonly name: Flag<string>;
  readonly cluster: Flag<string>;
  readonly token: Flag<string>;
  readonly peerUrls: Flag<string>;
  readonly skipHashCheck: Flag<boolean>;
  readonly markCompacted: Flag<boolean>;
  readonly bumpRevision: Flag<bigint>;
}

/** Also of the older spelling `etcdctl snapshot restore`. */
export function defineRestoreFlags(flags: FlagSet): RestoreFlags {
  const defined: RestoreFlags = {
    dataDir: flags.string("data-dir", "", "the data directory to make (<name>.etcd if not given)"),
    walDir: flags.string("wal-dir", "", "where the log goes, if not into the data directory"),
    name: flags.string("name", "default", "the name of this member"),
    cluster: flags.string("initial-cluster", `default=${PEER_URL}`, "members of the new cluster"),
    token: flags.string("initial-cluster-token", "etcd-cluster", "token of the new cluster"),
    peerUrls: flags.string(
      "initial-advertise-peer-urls",
      PEER_URL,
      "peer URLs of this member, as the other members know them",
    ),
    skipHashCheck: flags.boolean(
      "skip-hash-check",
      false,
      "do not check the backup against its hash (a file copied from a data directory has none)",
    ),
    markCompacted: flags.boolean(
      "mark-compacted",
      false,
      "compact everything up to the raised revision (with --bump-revision, and only then)",
    ),
    bumpRevision: flags.unsigned("bump-revision", 0n, "how much to raise the last revision"),
  };
  flags.unsigned("initial-memory-map-size", MEMORY_MAP_BYTES, "has no meaning; for compatibility");
  return defined;
}

export async function restore(
  session: Session,
  flags: RestoreFlags,
  args: readonly string[],
): Promise<void> {
  const [path] = args;
  if (path === undefined || args.length > 1) {
    throw badArguments("snapshot restore requires exactly one argument");
  }
  const bumpRevision = bumpOf(flags, path);
  if (bumpRevision === BUMP_DEFAULT && !flags.bumpRevision.changed) {
    session.log.info("raising revisions for clients that remember them", {
      by: bumpRevision,
      "opt-out": "--bump-revision=0",
    });
  }
  const name = flags.name.value;
  const { cluster, own } = await parseMembers(flags);
  const token = flags.token.value;
  const ids = new Map([...cluster].map(([one, urls]) => [one, memberIdOf(texts(urls), token)]));
  const members = [...cluster]
    .map(([one, urls]) => toMember(one, ids.get(one)!, texts(urls)))
    .sort((left, right) => (left.id < right.id ? -1 : 1));
  await createRestoredDataDir({
    disk: session.world.disk,
    clock: session.world.clock,
    log: session.log,
    path,
    dataDir: flags.dataDir.value === "" ? `${name}.etcd` : flags.dataDir.value,
    walDir: flags.walDir.value === "" ? undefined : flags.walDir.value,
    skipHashCheck: flags.skipHashCheck.value,
    memberId: memberIdOf(texts(own), token),
    clusterId: clusterIdOf([...ids.values()]),
    members,
    bumpRevision,
  });
}

/**
 * As in etcd, nothing is raised unless asked for; but a backup that a member has made by itself is
 * restored for clients that have seen more than it holds and wait for revisions to go on.
 * @throws Exit
 */
function bumpOf({ bumpRevision, markCompacted }: RestoreFlags, path: string): number {
  if (!bumpRevision.changed && !markCompacted.changed && isBackupName(path)) return BUMP_DEFAULT;
  const bump = Number(bumpRevision.value);
  if (bump > 0 !== markCompacted.value) {
    throw badArguments("--mark-compacted required if --revision-bump > 0");
  }
  return bump;
}

/** @throws Exit when the flags do not describe a cluster with this member in it */
async function parseMembers(
  flags: RestoreFlags,
): Promise<{ cluster: ClusterUrls; own: readonly EtcdUrl[] }> {
  try {
    const advertisePeerUrls = parseUrls(flags.peerUrls.value.split(","));
    const cluster = parseClusterUrls(flags.cluster.value);
    const member = { name: flags.name.value, advertisePeerUrls };
    const problem = await checkNewCluster(member, cluster, resolveByDns);
    if (problem !== undefined) throw new Exit(1, problem);
    return { cluster, own: cluster.get(member.name)! };
  } catch (error) {
    throw error instanceof ParseError ? new Exit(1, error.message) : error;
  }
}

function texts(urls: readonly EtcdUrl[]): string[] {
  return urls.map((url) => url.text);
}

function toMember(name: string, id: bigint, peerUrls: string[]): RestoredMember {
  const json = encodeMember({ id, peerUrls, isLearner: false, name, clientUrls: [] });
  return { id, name, peerUrls, json };
}

export const body: Body<Session> = {
  prepare(flags) {
    const defined = defineRestoreFlags(flags);
    return (session, args) => restore(session, defined, args);
  },
};
