import { Auth } from "../../client/auth.ts";
import {
  AuthRoleListResponse_DESCRIPTOR,
  encodeAuthRoleListResponse,
} from "../../wire/messages/rpc-auth.ts";
import type { Body } from "../flags/command.ts";
import { quote } from "../flags/go-text.ts";
import { badArguments } from "./exit.ts";
import { headerFields } from "./printers/fields.ts";
import { messageView } from "./printers/view.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    if (args.length > 0) throw badArguments("role list command requires no arguments");
    const auth = new Auth(await session.caller());
    const response = await auth.roleList(session.callOptions);
    session.show({
      ...messageView(response, AuthRoleListResponse_DESCRIPTOR, encodeAuthRoleListResponse),
      simple: () => response.roles.map((role) => `${role}\n`),
      fields: (style) => [
        headerFields(response.header, style),
        `"Roles" :${response.roles.map((role) => ` ${quote(role)}`).join("")}\n`,
      ],
    });
  },
};
