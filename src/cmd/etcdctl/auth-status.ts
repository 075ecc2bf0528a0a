import { Auth } from "../../client/auth.ts";
import {
  AuthStatusResponse_DESCRIPTOR,
  encodeAuthStatusResponse,
} from "../../wire/messages/rpc-auth.ts";
import type { Body } from "../flags/command.ts";
import { badArguments } from "./exit.ts";
import { messageView } from "./printers/view.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    if (args.length > 0) {
      throw badArguments("auth status command does not accept any arguments");
    }
    const auth = new Auth(await session.caller());
    const response = await auth.authStatus(session.callOptions);
    const { enabled, authRevision } = response;
    session.show({
      ...messageView(response, AuthStatusResponse_DESCRIPTOR, encodeAuthStatusResponse),
      simple: () => [`Authentication Status: ${enabled}\nAuthRevision: ${authRevision}\n`],
    });
  },
};
