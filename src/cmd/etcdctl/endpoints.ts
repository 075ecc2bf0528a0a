// Commands that ask each endpoint by itself, or with `--cluster` each member.

import { Cluster } from "../../client/cluster.ts";
import { errorText } from "../../client/errors.ts";
import { RpcError } from "../../wire/status.ts";
import { Exit, ExitCode } from "./exit.ts";
import type { Session } from "./session.ts";

/** @throws Exit */
export async function endpointsOf(
  session: Session,
  options: { cluster: boolean },
): Promise<readonly string[]> {
  if (!options.cluster) return (await session.config()).endpoints;
  const cluster = new Cluster(await session.caller());
  try {
    const { members } = await cluster.memberList({ linearizable: true }, session.callOptions);
    return members.flatMap((member) => member.clientURLs);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw new Exit(
      ExitCode.Error,
      `failed to fetch endpoints from etcd cluster member list: ${errorText(error)}`,
    );
  }
}
