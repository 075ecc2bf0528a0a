import { bytes } from "../../client/bytes.ts";
import { Kv } from "../../client/kv.ts";
import { QUOTA_KEYS } from "../../server/care/quota-keys.ts";
import type { Body } from "../flags/command.ts";
import { badArguments, Exit, ExitCode } from "./exit.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  long: "Removes the quota of a prefix; what lies below it stays.",
  prepare: () => async (session, args) => {
    const [prefix] = args;
    if (prefix === undefined || args.length > 1) {
      throw badArguments("quota remove command needs a prefix");
    }
    const kv = new Kv(await session.caller());
    const key = bytes(QUOTA_KEYS + prefix);
    const { deleted } = await kv.deleteRange({ key }, session.callOptions);
    if (deleted === 0) throw new Exit(ExitCode.Error, `${prefix} has no quota`);
    session.print("OK\n");
  },
};
