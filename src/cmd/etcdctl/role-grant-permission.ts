import { Auth } from "../../client/auth.ts";
import { type PermissionType, PermissionType_DESCRIPTOR } from "../../wire/messages/auth.ts";
import {
  AuthRoleGrantPermissionResponse_DESCRIPTOR,
  encodeAuthRoleGrantPermissionResponse,
} from "../../wire/messages/rpc-auth.ts";
import type { Body } from "../flags/command.ts";
import { changeView } from "./auth-view.ts";
import { badArguments } from "./exit.ts";
import { permissionRange } from "./permissions.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare(flags) {
    const range = permissionRange(flags);
    return async (session, args) => {
      const [name, kind] = args;
      if (name === undefined || kind === undefined || args.length < 3) {
        throw badArguments(
          "role grant command requires role name, permission type, and key [endkey] as its argument",
        );
      }
      const permType = PermissionType_DESCRIPTOR.numberOf.get(kind.toUpperCase()) as
        | PermissionType
        | undefined;
      if (permType === undefined) throw badArguments(`invalid permission type: ${kind}`);
      const perm = { permType, ...range(args.slice(2)) };
      const auth = new Auth(await session.caller());
      const response = await auth.roleGrantPermission({ name, perm }, session.callOptions);
      session.show(
        changeView(
          response,
          AuthRoleGrantPermissionResponse_DESCRIPTOR,
          encodeAuthRoleGrantPermissionResponse,
          `Role ${name} updated`,
        ),
      );
    };
  },
};
