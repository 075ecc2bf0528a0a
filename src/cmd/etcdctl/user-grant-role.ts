import { Auth } from "../../client/auth.ts";
import {
  AuthUserGrantRoleResponse_DESCRIPTOR,
  encodeAuthUserGrantRoleResponse,
} from "../../wire/messages/rpc-auth.ts";
import type { Body } from "../flags/command.ts";
import { changeView } from "./auth-view.ts";
import { badArguments } from "./exit.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    const [user, role] = args;
    if (role === undefined || args.length > 2) {
      throw badArguments("user grant command requires user name and role name as its argument");
    }
    const auth = new Auth(await session.caller());
    const request = { user, role };
    const response = await auth.userGrantRole(request, session.callOptions);
    session.show(
      changeView(
        response,
        AuthUserGrantRoleResponse_DESCRIPTOR,
        encodeAuthUserGrantRoleResponse,
        `Role ${role} is granted to user ${user}`,
      ),
    );
  },
};
