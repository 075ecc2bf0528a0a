// What the member commands share: ids and URLs as arguments, and how changes are shown.

import type { MessageDescriptor } from "../../wire/protobuf/descriptor.ts";
import { ParseError, parseUint64, quote } from "../flags/go-text.ts";
import { badArguments, Exit, ExitCode } from "./exit.ts";
import { type HexFields, messageJson } from "./printers/json.ts";
import type { View } from "./printers/view.ts";

/** The one argument of a command about a member. @throws Exit */
export function memberIdArgument(args: readonly string[]): bigint {
  if (args.length !== 1) throw badArguments("member ID is not provided");
  try {
    return parseUint64(args[0]!, 16);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw badArguments(`bad member ID arg (${error.message}), expecting ID in Hex`);
  }
}

function urlProblem(text: string): string | undefined {
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text)?.[1];
  if (scheme === undefined && /^[^/]*:/.test(text)) {
    return `parse ${quote(text)}: first path segment in URL cannot contain colon`;
  }
  if (scheme === undefined || !/^(https?|unixs?)$/.test(scheme)) {
    return `URL scheme must be http, https, unix, or unixs: ${text}`;
  }
  if (scheme.startsWith("unix")) return undefined;
  const match = /^\w+:\/\/([^/?#]*)(.*)$/.exec(text);
  if (match === null || !/:\d*$/.test(match[1]!)) {
    return `URL address does not have the form "host:port": ${text}`;
  }
  return match[2] === "" ? undefined : `URL must not contain a path: ${text}`;
}

/** @throws Exit for the first URL on which no member could listen */
export function peerUrls(list: string): string[] {
  const urls = list.split(",");
  for (const url of urls) {
    const problem = urlProblem(url.trim());
    if (problem !== undefined) throw new Exit(ExitCode.Error, problem);
  }
  return urls;
}

const idFields: HexFields = new Set(["cluster_id", "member_id", "ID"]);

/** `text` for the simple format; ids in JSON become hexadecimal strings with `--hex`. */
export function membersView<M>(
  message: M,
  descriptor: MessageDescriptor,
  encode: (message: M) => Uint8Array,
  text: string,
): View {
  return {
    simple: () => [text],
    json: (style) => [`${messageJson(descriptor, message, style.hex ? idFields : new Set())}\n`],
    protobuf: () => [encode(message)],
  };
}
