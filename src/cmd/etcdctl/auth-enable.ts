import { Auth } from "../../client/auth.ts";
import { isError } from "../../client/errors.ts";
import { Errors } from "../../wire/errors.ts";
import type { Body } from "../flags/command.ts";
import { badArguments } from "./exit.ts";
import type { Session } from "./session.ts";

const ROOT = "root";

async function makeRoot(auth: Auth, session: Session): Promise<void> {
  try {
    await auth.roleAdd({ name: ROOT }, session.callOptions);
  } catch (error) {
    if (!isError(error, Errors.RoleAlreadyExist)) throw error;
  }
  await auth.userGrantRole({ user: ROOT, role: ROOT }, session.callOptions);
}

export const body: Body<Session> = {
  long: `Turns authentication on. A user called root must exist; it is given the role root.`,
  prepare: () => async (session, args) => {
    if (args.length > 0) {
      throw badArguments("auth enable command does not accept any arguments");
    }
    const auth = new Auth(await session.caller());
    try {
      await auth.authEnable(session.callOptions);
    } catch (error) {
      if (!isError(error, Errors.RootRoleNotExist)) throw error;
      await makeRoot(auth, session);
      await auth.authEnable(session.callOptions);
    }
    session.print("Authentication Enabled\n");
  },
};
