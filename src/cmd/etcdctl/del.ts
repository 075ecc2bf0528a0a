import { Kv } from "../../client/kv.ts";
import {
  type DeleteRangeRequestInit,
  type DeleteRangeResponse,
  DeleteRangeResponse_DESCRIPTOR,
  encodeDeleteRangeResponse,
} from "../../wire/messages/rpc-kv.ts";
import type { Body } from "../flags/command.ts";
import type { FlagSet } from "../flags/flag-set.ts";
import { quote } from "../flags/go-text.ts";
import type { Piece } from "./console.ts";
import { badArguments } from "./exit.ts";
import { keyRange } from "./get.ts";
import { field, headerFields, keyValueFields } from "./printers/fields.ts";
import { keyValueLines } from "./printers/simple.ts";
import { messageView, type Style, type View } from "./printers/view.ts";
import type { Session, World } from "./session.ts";

/** Time to think again before a range of keys goes. */
const REGRET_MS = 2000;

/** Defines the flags of `del`; the result makes a request of the arguments. @throws Exit */
export function deleteRequest(
  flags: FlagSet,
): (world: World, args: readonly string[]) => Promise<DeleteRangeRequestInit> {
  const prefix = flags.boolean("prefix", false, "all keys that begin with <key>");
  const prevKv = flags.boolean("prev-kv", false, "also print what was deleted");
  const fromKey = flags.boolean("from-key", false, "all keys from <key> on");
  const range = flags.boolean("range", false, "delete a range without a delay");
  return async (world, args) => {
    if (args.length === 0 || args.length > 2) {
      throw badArguments(
        "del command needs one argument as key and an optional argument as range_end",
      );
    }
    const keys = keyRange(args, { prefix: prefix.value, fromKey: fromKey.value });
    if (args.length > 1 && !range.value) {
      world.console.err(
        `Warning: Keys between ${quote(args[0]!)} and ${quote(args[1]!)} will be deleted. ` +
          "Please interrupt the command within next 2 seconds to cancel. " +
          "You can provide `--range` flag to avoid the delay.\n",
      );
      await world.sleep(REGRET_MS);
    }
    return { ...keys, prevKv: prevKv.value };
  };
}

export function deleteLines(response: DeleteRangeResponse, style: Style): Piece[] {
  const previous = response.prevKvs.flatMap((kv) => keyValueLines(kv, style));
  return [`${response.deleted}\n`, ...previous];
}

export function deleteFields(response: DeleteRangeResponse, style: Style): string {
  const previous = response.prevKvs.map((kv) => keyValueFields(kv, style, "Prev"));
  const header = headerFields(response.header, style);
  return header + field("Deleted", response.deleted) + previous.join("");
}

function deleteView(response: DeleteRangeResponse): View {
  return {
    ...messageView(response, DeleteRangeResponse_DESCRIPTOR, encodeDeleteRangeResponse),
    simple: (style) => deleteLines(response, style),
    fields: (style) => [deleteFields(response, style)],
  };
}

export const body: Body<Session> = {
  prepare(flags) {
    const request = deleteRequest(flags);
    return async (session, args) => {
      const message = await request(session.world, args);
      const kv = new Kv(await session.caller());
      session.show(deleteView(await kv.deleteRange(message, session.callOptions)));
    };
  },
};
