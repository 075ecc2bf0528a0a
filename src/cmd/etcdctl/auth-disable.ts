import { Auth } from "../../client/auth.ts";
import type { Body } from "../flags/command.ts";
import { badArguments } from "./exit.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    if (args.length > 0) {
      throw badArguments("auth disable command does not accept any arguments");
    }
    const auth = new Auth(await session.caller());
    await auth.authDisable(session.callOptions);
    session.print("Authentication Disabled\n");
  },
};
