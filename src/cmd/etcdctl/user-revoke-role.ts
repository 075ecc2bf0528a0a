import { Auth } from "../../client/auth.ts";
import {
  AuthUserRevokeRoleResponse_DESCRIPTOR,
  encodeAuthUserRevokeRoleResponse,
} from "../../wire/messages/rpc-auth.ts";
import type { Body } from "../flags/command.ts";
import { changeView } from "./auth-view.ts";
import { badArguments } from "./exit.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    const [name, role] = args;
    if (role === undefined || args.length > 2) {
      throw badArguments("user revoke-role requires user name and role name as its argument");
    }
    const auth = new Auth(await session.caller());
    const request = { name, role };
    const response = await auth.userRevokeRole(request, session.callOptions);
    session.show(
      changeView(
        response,
        AuthUserRevokeRoleResponse_DESCRIPTOR,
        encodeAuthUserRevokeRoleResponse,
        `Role ${role} is revoked from user ${name}`,
      ),
    );
  },
};
