import { formatDuration } from "../../base/duration-text.ts";
import { bytes } from "../../client/bytes.ts";
import { errorText, isError } from "../../client/errors.ts";
import { Kv } from "../../client/kv.ts";
import { Maintenance } from "../../client/maintenance.ts";
import { Errors } from "../../wire/errors.ts";
import { AlarmAction, AlarmType_DESCRIPTOR } from "../../wire/messages/rpc-maintenance.ts";
import type { Body } from "../flags/command.ts";
import { endpointsOf } from "./endpoints.ts";
import { Exit, ExitCode } from "./exit.ts";
import { field, quotedField } from "./printers/fields.ts";
import { jsonString } from "./printers/json.ts";
import { drawTable } from "./printers/table.ts";
import { render, type View } from "./printers/view.ts";
import type { Session } from "./session.ts";

interface Health {
  readonly endpoint: string;
  readonly took: string;
  /** "" when healthy. */
  readonly error: string;
}

function textOf(thrown: unknown): string {
  return thrown instanceof Exit ? (thrown.text ?? "") : errorText(thrown);
}

/** A read through consensus, and no alarm. */
async function check(session: Session, endpoint: string): Promise<Health> {
  const startMs = session.world.nowMs();
  const took = (): string => formatDuration((session.world.nowMs() - startMs) * 1e6);
  try {
    const config = await session.config();
    const caller = await session.openCaller({ ...config, endpoints: [endpoint] }, "client");
    try {
      await new Kv(caller).range({ key: bytes("health") }, session.callOptions);
    } catch (error) {
      // Whoever is told that has asked a cluster that works.
      if (!isError(error, Errors.PermissionDenied)) throw error;
    }
    const answered = took();
    const { alarms } = await new Maintenance(caller)
      .alarm({ action: AlarmAction.GET }, session.callOptions)
      .catch(() => Promise.reject(new Exit(ExitCode.Error, "Unable to fetch the alarm list")));
    if (alarms.length === 0) return { endpoint, took: answered, error: "" };
    const names = alarms.map(({ alarm }) => `${AlarmType_DESCRIPTOR.nameOf.get(alarm)} `);
    return { endpoint, took: answered, error: `Active Alarm(s): ${names.join("")}` };
  } catch (error) {
    return { endpoint, took: took(), error: textOf(error) };
  }
}

function healthJson({ endpoint, took, error }: Health): string {
  const end = error === "" ? "" : `,"error":${jsonString(error)}`;
  const start = `{"endpoint":${jsonString(endpoint)},"health":${error === ""}`;
  return `${start},"took":${jsonString(took)}${end}}`;
}

function healthView(session: Session, all: readonly Health[]): View {
  return {
    simple: () =>
      all.flatMap(({ endpoint, took, error }) => {
        if (error === "") {
          return [`${endpoint} is healthy: successfully committed proposal: took = ${took}\n`];
        }
        session.console.err(`${endpoint} is unhealthy: failed to commit proposal: ${error}\n`);
        return [];
      }),
    json: () => [`[${all.map(healthJson).join(",")}]\n`],
    table: () => [
      drawTable(
        ["endpoint", "health", "took", "error"],
        all.map(({ endpoint, took, error }) => [endpoint, String(error === ""), took, error]),
      ),
    ],
    fields: () =>
      all.map(
        ({ endpoint, took, error }) =>
          quotedField("Endpoint", endpoint) +
          field("Health", error === "") +
          field("Took", took) +
          `${field("Error", error)}\n`,
      ),
  };
}

export const body: Body<Session> = {
  prepare: () => async (session) => {
    const endpoints = await endpointsOf(session, { cluster: session.isSet("cluster") });
    const all: Health[] = [];
    // As they answer: the slow ones come last.
    await Promise.all(endpoints.map(async (one) => all.push(await check(session, one))));
    session.print(...render(healthView(session, all), session.style()));
    if (all.some(({ error }) => error !== "")) throw new Exit(ExitCode.Error, "unhealthy cluster");
  },
};
