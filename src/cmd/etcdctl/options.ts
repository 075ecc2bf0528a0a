import type { Body } from "../flags/command.ts";
import { flagTable } from "../flags/help.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session) => {
    const table = flagTable(session.globals.flags.sorted());
    session.print(`The following options can be passed to any command:\n\n${table}`);
  },
};
