import { Auth } from "../../client/auth.ts";
import type { Body } from "../flags/command.ts";
import { badArguments } from "./exit.ts";
import { roleView } from "./permissions.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    const [role] = args;
    if (role === undefined || args.length > 1) {
      throw badArguments("role get command requires role name as its argument");
    }
    const auth = new Auth(await session.caller());
    session.show(roleView(role, await auth.roleGet({ role }, session.callOptions)));
  },
};
