// The three downgrade commands: one request with three actions.

import { Maintenance } from "../../client/maintenance.ts";
import {
  DowngradeAction,
  DowngradeResponse_DESCRIPTOR,
  encodeDowngradeResponse,
} from "../../wire/messages/rpc-maintenance.ts";
import { badArguments } from "./exit.ts";
import { messageView } from "./printers/view.ts";
import type { Session } from "./session.ts";

/** @throws Exit */
export function targetVersion(args: readonly string[]): string {
  if (args.length === 0) throw badArguments("TARGET_VERSION not provided");
  if (args.length > 1) throw badArguments("too many arguments");
  if (args[0] === "") throw badArguments("target version not provided");
  return args[0]!;
}

const names: Readonly<Record<DowngradeAction, string>> = {
  [DowngradeAction.VALIDATE]: "validate",
  [DowngradeAction.ENABLE]: "enable",
  [DowngradeAction.CANCEL]: "cancel",
};

export async function downgrade(
  session: Session,
  action: DowngradeAction,
  version: string,
): Promise<void> {
  const maintenance = new Maintenance(await session.caller());
  const response = await maintenance.downgrade({ action, version }, session.callOptions);
  session.show({
    ...messageView(response, DowngradeResponse_DESCRIPTOR, encodeDowngradeResponse),
    simple: () => [`Downgrade ${names[action]} success, cluster version ${response.version}\n`],
  });
}
