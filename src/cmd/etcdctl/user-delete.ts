import { Auth } from "../../client/auth.ts";
import {
  AuthUserDeleteResponse_DESCRIPTOR,
  encodeAuthUserDeleteResponse,
} from "../../wire/messages/rpc-auth.ts";
import type { Body } from "../flags/command.ts";
import { changeView } from "./auth-view.ts";
import { badArguments } from "./exit.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    const [name] = args;
    if (name === undefined || args.length > 1) {
      throw badArguments("user delete command requires user name as its argument");
    }
    const auth = new Auth(await session.caller());
    const request = { name };
    const response = await auth.userDelete(request, session.callOptions);
    session.show(
      changeView(
        response,
        AuthUserDeleteResponse_DESCRIPTOR,
        encodeAuthUserDeleteResponse,
        `User ${name} deleted`,
      ),
    );
  },
};
