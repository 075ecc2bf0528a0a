import { Auth } from "../../client/auth.ts";
import {
  type AuthUserGetResponse,
  AuthUserGetResponse_DESCRIPTOR,
  encodeAuthUserGetResponse,
} from "../../wire/messages/rpc-auth.ts";
import type { Body } from "../flags/command.ts";
import { badArguments } from "./exit.ts";
import { roleView } from "./permissions.ts";
import { messageView, type View } from "./printers/view.ts";
import type { Session } from "./session.ts";

function userView(name: string, response: AuthUserGetResponse): View {
  return {
    ...messageView(response, AuthUserGetResponse_DESCRIPTOR, encodeAuthUserGetResponse),
    simple: () => [`User: ${name}\nRoles:${response.roles.map((role) => ` ${role}`).join("")}\n`],
  };
}

export const body: Body<Session> = {
  prepare(flags) {
    const detail = flags.boolean("detail", false, "also show the permissions of the roles");
    return async (session, args) => {
      const [name] = args;
      if (name === undefined || args.length > 1) {
        throw badArguments("user get command requires user name as its argument");
      }
      const auth = new Auth(await session.caller());
      const response = await auth.userGet({ name }, session.callOptions);
      if (!detail.value) {
        session.show(userView(name, response));
        return;
      }
      session.print(`User: ${name}\n`);
      for (const role of response.roles) {
        session.print("\n");
        session.show(roleView(role, await auth.roleGet({ role }, session.callOptions)));
      }
    };
  },
};
