import { humanSize } from "../../base/human-size.ts";
import {
  encodeForecastResponse,
  type ForecastResponse,
  ForecastResponse_DESCRIPTOR,
} from "../../wire/messages/quorate.ts";
import type { Body } from "../flags/command.ts";
import { asked, careOf, spanText } from "./care-calls.ts";
import { badArguments } from "./exit.ts";
import { drawTable } from "./printers/table.ts";
import { messageView, type View } from "./printers/view.ts";
import type { Session } from "./session.ts";

function when(ms: number): string {
  if (ms < 0) return "not at this rate";
  return ms === 0 ? "reached" : `in ${spanText(ms)}`;
}

function perHour(bytes: number): string {
  return `${bytes < 0 ? "-" : ""}${humanSize(Math.abs(bytes))}/h`;
}

function lines(response: ForecastResponse): [string, string][] {
  const { dbSizeQuota, selfCare, nextAction } = response;
  return [
    ["observed", spanText(response.windowMs)],
    ["file", humanSize(response.dbSize)],
    ["in use", `${humanSize(response.dbSizeInUse)}, +${perHour(response.inUseBytesPerHour)}`],
    ["live", `${humanSize(response.liveBytes)}, ${perHour(response.liveBytesPerHour)}`],
    ["history", `${humanSize(response.historyBytes)}, +${perHour(response.historyBytesPerHour)}`],
    ["revisions", `${response.revisionsPerHour}/h`],
    ["quota", dbSizeQuota === 0 ? "none" : humanSize(dbSizeQuota)],
    ["quota reached", when(response.quotaInMs)],
    ["… by live data alone", when(response.quotaOfLiveInMs)],
    ["self-care", nextAction === "" ? selfCare : `${selfCare}; next: ${nextAction}`],
  ];
}

export function forecastView(response: ForecastResponse): View {
  return {
    ...messageView(response, ForecastResponse_DESCRIPTOR, encodeForecastResponse),
    simple: () => lines(response).map(([name, value]) => `${`${name}:`.padEnd(22)} ${value}\n`),
    table: () => [drawTable(["what", "value"], lines(response))],
  };
}

export const body: Body<Session> = {
  long: `Says when the quota is reached at the rate of the last hour: by everything, if nothing is
compacted, and by live data alone, against which only a larger quota helps.`,
  prepare: () => async (session, args) => {
    if (args.length > 0) throw badArguments("forecast command accepts no arguments");
    const care = await careOf(session);
    session.show(forecastView(await asked(session, care.forecast(session.callOptions))));
  },
};
