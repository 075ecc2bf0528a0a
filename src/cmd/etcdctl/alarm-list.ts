import { Maintenance } from "../../client/maintenance.ts";
import { AlarmAction } from "../../wire/messages/rpc-maintenance.ts";
import type { Body } from "../flags/command.ts";
import { alarmView } from "./alarms.ts";
import { badArguments } from "./exit.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    if (args.length > 0) throw badArguments("alarm list command accepts no arguments");
    const maintenance = new Maintenance(await session.caller());
    const request = { action: AlarmAction.GET };
    session.show(alarmView(await maintenance.alarm(request, session.callOptions)));
  },
};
