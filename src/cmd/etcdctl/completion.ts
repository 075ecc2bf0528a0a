import type { Body } from "../flags/command.ts";
import { completionBody } from "../flags/completion.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = completionBody("etcdctl", (session, text) => {
  session.print(text);
});
