import { Maintenance } from "../../client/maintenance.ts";
import { AlarmAction, newAlarmResponse } from "../../wire/messages/rpc-maintenance.ts";
import type { Body } from "../flags/command.ts";
import { alarmView } from "./alarms.ts";
import { badArguments } from "./exit.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = {
  prepare: () => async (session, args) => {
    if (args.length > 0) throw badArguments("alarm disarm command accepts no arguments");
    const maintenance = new Maintenance(await session.caller());
    const { callOptions } = session;
    const raised = await maintenance.alarm({ action: AlarmAction.GET }, callOptions);
    // Many calls, one answer: it has no header of its own.
    const disarmed = newAlarmResponse();
    for (const { memberID, alarm } of raised.alarms) {
      const request = { action: AlarmAction.DEACTIVATE, memberID, alarm };
      const answer = await maintenance.alarm(request, callOptions);
      disarmed.alarms.push(...answer.alarms);
    }
    session.show(alarmView(disarmed));
  },
};
