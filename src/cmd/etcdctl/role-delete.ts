import { Auth } from "../../client/auth.ts";
import {
  AuthRoleDeleteResponse_DESCRIPTOR,
  encodeAuthRoleDeleteResponse,
} from "../../wire/messages/rpc-auth.ts";
import type { Body } from "../flags/command.ts";
import { changeView } from "./auth-view.ts";
import { badArguments } from "./exit.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    const [role] = args;
    if (role === undefined || args.length > 1) {
      throw badArguments("role delete command requires role name as its argument");
    }
    const auth = new Auth(await session.caller());
    const request = { role };
    const response = await auth.roleDelete(request, session.callOptions);
    session.show(
      changeView(
        response,
        AuthRoleDeleteResponse_DESCRIPTOR,
        encodeAuthRoleDeleteResponse,
        `Role ${role} deleted`,
      ),
    );
  },
};
