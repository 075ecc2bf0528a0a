// Alarms as `alarm list` and `alarm disarm` show them.

import {
  type AlarmMember,
  type AlarmResponse,
  AlarmResponse_DESCRIPTOR,
  AlarmType_DESCRIPTOR,
  encodeAlarmResponse,
} from "../../wire/messages/rpc-maintenance.ts";
import { field, headerFields, idField } from "./printers/fields.ts";
import { messageView, type View } from "./printers/view.ts";

function nameOf(alarm: AlarmMember): string {
  return AlarmType_DESCRIPTOR.nameOf.get(alarm.alarm) ?? String(alarm.alarm);
}

function line(alarm: AlarmMember): string {
  const member = alarm.memberID === 0n ? [] : [`memberID:${alarm.memberID}`];
  const type = alarm.alarm === 0 ? [] : [`alarm:${nameOf(alarm)}`];
  return `${[...member, ...type].join("  ")}\n`;
}

export function alarmView(response: AlarmResponse): View {
  return {
    ...messageView(response, AlarmResponse_DESCRIPTOR, encodeAlarmResponse),
    simple: () => response.alarms.map(line),
    fields: (style) => [
      headerFields(response.header, style),
      ...response.alarms.map(
        (alarm) =>
          `${idField("MemberID", alarm.memberID, style)}${field("AlarmType", nameOf(alarm))}\n`,
      ),
    ],
  };
}
