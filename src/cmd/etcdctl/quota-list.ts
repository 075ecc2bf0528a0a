import { humanSize } from "../../base/human-size.ts";
import {
  encodeQuotasResponse,
  type QuotasResponse,
  QuotasResponse_DESCRIPTOR,
  type QuotaUsage,
} from "../../wire/messages/quorate.ts";
import type { Body } from "../flags/command.ts";
import { asked, careOf, keyText } from "./care-calls.ts";
import { badArguments } from "./exit.ts";
import { drawTable } from "./printers/table.ts";
import { messageView, type View } from "./printers/view.ts";
import type { Session } from "./session.ts";

const HEADS = ["prefix", "bytes", "of", "keys", "of", "problem"];

function cells({ prefix, bytesMax, keysMax, bytes, keys, problem }: QuotaUsage): string[] {
  const isNone = problem !== "";
  return [
    keyText(prefix),
    humanSize(bytes),
    isNone ? "" : bytesMax < 0 ? "any" : humanSize(bytesMax),
    `${keys}`,
    isNone ? "" : keysMax < 0 ? "any" : `${keysMax}`,
    problem,
  ];
}

export function quotasView(response: QuotasResponse): View {
  const rows = response.quotas.map(cells);
  return {
    ...messageView(response, QuotasResponse_DESCRIPTOR, encodeQuotasResponse),
    simple: () =>
      rows.map(([prefix, bytes, bytesMax, keys, keysMax, problem]) =>
        problem === ""
          ? `${prefix}: ${bytes} of ${bytesMax}, ${keys} keys of ${keysMax}\n`
          : `${prefix}: not in force: ${problem}\n`,
      ),
    table: () => [drawTable(HEADS, rows)],
  };
}

export const body: Body<Session> = {
  long: `Shows the quotas of prefixes, and what is used of them: the newest records of the keys that
exist. History is not counted.`,
  prepare: () => async (session, args) => {
    if (args.length > 0) throw badArguments("quota list command accepts no arguments");
    const care = await careOf(session);
    session.show(quotasView(await asked(session, care.quotas(session.callOptions))));
  },
};
