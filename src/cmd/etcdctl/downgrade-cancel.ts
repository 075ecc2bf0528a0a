import { DowngradeAction } from "../../wire/messages/rpc-maintenance.ts";
import type { Body } from "../flags/command.ts";
import { downgrade } from "./downgrades.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session) => {
    await downgrade(session, DowngradeAction.CANCEL, "");
  },
};
