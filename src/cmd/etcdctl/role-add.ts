import { Auth } from "../../client/auth.ts";
import {
  AuthRoleAddResponse_DESCRIPTOR,
  encodeAuthRoleAddResponse,
} from "../../wire/messages/rpc-auth.ts";
import type { Body } from "../flags/command.ts";
import { changeView } from "./auth-view.ts";
import { badArguments } from "./exit.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    const [name] = args;
    if (name === undefined || args.length > 1) {
      throw badArguments("role add command requires role name as its argument");
    }
    const auth = new Auth(await session.caller());
    const request = { name };
    const response = await auth.roleAdd(request, session.callOptions);
    session.show(
      changeView(
        response,
        AuthRoleAddResponse_DESCRIPTOR,
        encodeAuthRoleAddResponse,
        `Role ${name} created`,
      ),
    );
  },
};
