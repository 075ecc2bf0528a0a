import type { Body } from "../flags/command.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = { prepare: () => async () => {} };
