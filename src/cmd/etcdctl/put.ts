import { bytes } from "../../client/bytes.ts";
import { Kv } from "../../client/kv.ts";
import {
  encodePutResponse,
  type PutRequestInit,
  type PutResponse,
  PutResponse_DESCRIPTOR,
} from "../../wire/messages/rpc-kv.ts";
import type { Body } from "../flags/command.ts";
import type { FlagSet } from "../flags/flag-set.ts";
import { ParseError, parseInt64 } from "../flags/go-text.ts";
import type { Piece } from "./console.ts";
import { badArguments } from "./exit.ts";
import { headerFields, keyValueFields } from "./printers/fields.ts";
import { keyValueLines } from "./printers/simple.ts";
import { messageView, type Style, type View } from "./printers/view.ts";
import type { Session } from "./session.ts";

/** Defines the flags of `put`; the result makes a request of the arguments. @throws Exit */
export function putRequest(
  flags: FlagSet,
): (readValue: () => Promise<Uint8Array>, args: readonly string[]) => Promise<PutRequestInit> {
  const lease = flags.string("lease", "0", "id (hexadecimal) of the lease to attach the key to");
  const prevKv = flags.boolean("prev-kv", false, "also print what the key was before");
  const ignoreValue = flags.boolean("ignore-value", false, "keep the value of the key");
  const ignoreLease = flags.boolean("ignore-lease", false, "keep the lease of the key");
  return async (readValue, args) => {
    const key = args[0];
    if (key === undefined) throw tooFewArguments();
    if (ignoreValue.value && args.length > 1) {
      throw badArguments("put command needs only 1 argument when 'ignore-value' is set");
    }
    let value: Uint8Array | undefined;
    if (!ignoreValue.value) {
      value = args[1] === undefined ? await readValue() : bytes(args[1]);
      if (args[1] === undefined && value.length === 0) throw tooFewArguments();
    }
    return {
      key: bytes(key),
      value,
      lease: parseLease(lease.value),
      prevKv: prevKv.value,
      ignoreValue: ignoreValue.value,
      ignoreLease: ignoreLease.value,
    };
  };
}

function tooFewArguments(): Error {
  return badArguments("put command needs 1 argument and input from stdin or 2 arguments");
}

function parseLease(text: string): bigint {
  try {
    return parseInt64(text, 16);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw badArguments(`bad lease ID (${error.message}), expecting ID in Hex`);
  }
}

export function putLines(response: PutResponse, style: Style): Piece[] {
  const previous = response.prevKv;
  return ["OK\n", ...(previous === undefined ? [] : keyValueLines(previous, style))];
}

export function putFields(response: PutResponse, style: Style): string {
  const previous = response.prevKv;
  return (
    headerFields(response.header, style) +
    (previous === undefined ? "" : keyValueFields(previous, style, "Prev"))
  );
}

export function putView(response: PutResponse): View {
  return {
    ...messageView(response, PutResponse_DESCRIPTOR, encodePutResponse),
    simple: (style) => putLines(response, style),
    fields: (style) => [putFields(response, style)],
  };
}

export const body: Body<Session> = {
  long: `Puts a key.

A <value> that begins with '-' would be taken for a flag; end the flags with '--' before it:

$ put <key> -- <value>
$ put -- <key> <value>

Without <value>, and without '--ignore-value', the value is read from standard input:

$ cat file | put <key>`,
  prepare(flags) {
    const request = putRequest(flags);
    return async (session, args) => {
      const message = await request(() => session.console.readAll(), args);
      const kv = new Kv(await session.caller());
      session.show(putView(await kv.put(message, session.callOptions)));
    };
  },
};
