import type { Body } from "../flags/command.ts";
import { completionBody } from "../flags/completion.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = completionBody("etcdutl", (session, text) => {
  session.print(text);
});
