import { Auth } from "../../client/auth.ts";
import {
  AuthRoleRevokePermissionResponse_DESCRIPTOR,
  encodeAuthRoleRevokePermissionResponse,
} from "../../wire/messages/rpc-auth.ts";
import type { Body } from "../flags/command.ts";
import { badArguments } from "./exit.ts";
import { permissionRange, rangePieces } from "./permissions.ts";
import { headerFields } from "./printers/fields.ts";
import { messageView } from "./printers/view.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare(flags) {
    const range = permissionRange(flags);
    return async (session, args) => {
      const [role] = args;
      if (role === undefined || args.length < 2) {
        throw badArguments(
          "role revoke-permission command requires role name and key [endkey] as its argument",
        );
      }
      const keys = range(args.slice(1));
      const auth = new Auth(await session.caller());
      const response = await auth.roleRevokePermission({ role, ...keys }, session.callOptions);
      const what = keys.rangeEnd.length === 0 ? "key" : "range";
      session.show({
        ...messageView(
          response,
          AuthRoleRevokePermissionResponse_DESCRIPTOR,
          encodeAuthRoleRevokePermissionResponse,
        ),
        simple: () => [
          `Permission of ${what} `,
          ...rangePieces(keys),
          ` is revoked from role ${role}\n`,
        ],
        fields: (style) => [headerFields(response.header, style)],
      });
    };
  },
};
