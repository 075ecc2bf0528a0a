import { Auth } from "../../client/auth.ts";
import {
  type AuthUserAddRequestInit,
  AuthUserAddResponse_DESCRIPTOR,
  encodeAuthUserAddResponse,
} from "../../wire/messages/rpc-auth.ts";
import type { Body } from "../flags/command.ts";
import type { FlagSet } from "../flags/flag-set.ts";
import { changeView } from "./auth-view.ts";
import { badArguments } from "./exit.ts";
import { newPassword } from "./new-password.ts";
import type { Session } from "./session.ts";

type UserRequest = AuthUserAddRequestInit & { readonly name: string };

/** @throws Exit */
function userRequest(flags: FlagSet): (session: Session, argument: string) => Promise<UserRequest> {
  const interactive = flags.boolean("interactive", true, "ask for the password twice");
  const password = flags.string("new-user-password", "", "the password");
  const noPassword = flags.boolean("no-password", false, "none: known by a certificate's name");
  return async (session, argument) => {
    if (noPassword.value) return { name: argument, options: { noPassword: true } };
    if (password.value !== "") return { name: argument, password: password.value };
    const colon = argument.indexOf(":");
    if (colon === 0) throw badArguments("empty user name is not allowed");
    if (colon > 0) {
      return { name: argument.slice(0, colon), password: argument.slice(colon + 1) };
    }
    const typed = await newPassword(session, argument, { interactive: interactive.value });
    return { name: argument, password: typed };
  };
}

export const body: Body<Session> = {
  prepare(flags) {
    const request = userRequest(flags);
    return async (session, args) => {
      if (args.length !== 1) {
        throw badArguments("user add command requires user name as its argument");
      }
      const user = await request(session, args[0]!);
      const auth = new Auth(await session.caller());
      const response = await auth.userAdd(user, session.callOptions);
      session.show(
        changeView(
          response,
          AuthUserAddResponse_DESCRIPTOR,
          encodeAuthUserAddResponse,
          `User ${user.name} created`,
        ),
      );
    };
  },
};
