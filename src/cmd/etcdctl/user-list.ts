import { Auth } from "../../client/auth.ts";
import {
  AuthUserListResponse_DESCRIPTOR,
  encodeAuthUserListResponse,
} from "../../wire/messages/rpc-auth.ts";
import type { Body } from "../flags/command.ts";
import { badArguments } from "./exit.ts";
import { messageView } from "./printers/view.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    if (args.length > 0) throw badArguments("user list command requires no arguments");
    const auth = new Auth(await session.caller());
    // No time limit, as in etcdctl: it waits for the cluster to come.
    const response = await auth.userList();
    session.show({
      ...messageView(response, AuthUserListResponse_DESCRIPTOR, encodeAuthUserListResponse),
      simple: () => response.users.map((user) => `${user}\n`),
    });
  },
};
