import { Auth } from "../../client/auth.ts";
import {
  AuthUserChangePasswordResponse_DESCRIPTOR,
  encodeAuthUserChangePasswordResponse,
} from "../../wire/messages/rpc-auth.ts";
import type { Body } from "../flags/command.ts";
import { changeView } from "./auth-view.ts";
import { badArguments } from "./exit.ts";
import { newPassword } from "./new-password.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare(flags) {
    const interactive = flags.boolean("interactive", true, "ask for the password twice");
    return async (session, args) => {
      const [name] = args;
      if (name === undefined || args.length > 1) {
        throw badArguments("user passwd command requires user name as its argument");
      }
      const password = await newPassword(session, name, { interactive: interactive.value });
      const auth = new Auth(await session.caller());
      const response = await auth.userChangePassword({ name, password }, session.callOptions);
      session.show(
        changeView(
          response,
          AuthUserChangePasswordResponse_DESCRIPTOR,
          encodeAuthUserChangePasswordResponse,
          "Password updated",
        ),
      );
    };
  },
};
