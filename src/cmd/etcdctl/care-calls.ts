// What the commands about the store's care have in common: one endpoint is asked, and one that is
// no Quorate is told from one that is down.

import { Care } from "../../client/care.ts";
import { errorText } from "../../client/errors.ts";
import { Code, RpcError } from "../../wire/status.ts";
import { Exit, ExitCode } from "./exit.ts";
import type { Session } from "./session.ts";

/** The account is each member's own: of several endpoints the first is asked. */
export async function careOf(session: Session): Promise<Care> {
  const { endpoints } = await session.config();
  return new Care(await session.callerOf(endpoints[0] ?? ""));
}

/** @throws Exit */
export async function asked<Result>(session: Session, call: Promise<Result>): Promise<Result> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof RpcError) || error.code !== Code.Unimplemented) throw error;
    const { endpoints } = await session.config();
    throw new Exit(
      ExitCode.BadFeature,
      `the server at ${endpoints[0]} keeps no account of its store: it is not Quorate, ` +
        `or too old (${errorText(error)})`,
    );
  }
}

/** Keys and prefixes are bytes; on a terminal they are shown as text. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key)
    .toString()
    .replace(/[\p{Cc}\ufffd]/gu, "?");
}

export function perSecond(amount: number, ms: number): string {
  const rate = ms <= 0 ? 0 : (amount * 1000) / ms;
  return rate >= 100 ? Math.round(rate).toLocaleString("en-US") : rate.toFixed(1);
}

/** As people say it: "4 days 3 h", "12 min". */
export function spanText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days >= 365) return "more than a year";
  if (days > 0) return `${days} ${days === 1 ? "day" : "days"} ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(ms / 1000)} s`;
}
