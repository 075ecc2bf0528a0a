import { bytes } from "../../client/bytes.ts";
import { EVERYTHING_AFTER, prefixEnd } from "../../client/keys.ts";
import { Kv } from "../../client/kv.ts";
import {
  encodeRangeResponse,
  type RangeRequestInit,
  type RangeResponse,
  RangeResponse_DESCRIPTOR,
  SortOrder,
  SortTarget,
} from "../../wire/messages/rpc-kv.ts";
import type { Body } from "../flags/command.ts";
import type { FlagSet } from "../flags/flag-set.ts";
import { quote } from "../flags/go-text.ts";
import type { Piece } from "./console.ts";
import { badArguments, Exit, ExitCode } from "./exit.ts";
import { field, headerFields, keyValueFields } from "./printers/fields.ts";
import { keyValueLines, plain } from "./printers/simple.ts";
import { messageView, type Style, type View } from "./printers/view.ts";
import type { Session } from "./session.ts";

const orders: Readonly<Record<string, SortOrder>> = {
  "": SortOrder.NONE,
  ASCEND: SortOrder.ASCEND,
  DESCEND: SortOrder.DESCEND,
};
const targets: Readonly<Record<string, SortTarget>> = {
  "": SortTarget.KEY,
  CREATE: SortTarget.CREATE,
  KEY: SortTarget.KEY,
  MODIFY: SortTarget.MOD,
  VALUE: SortTarget.VALUE,
  VERSION: SortTarget.VERSION,
};

interface KeyRange {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array | undefined;
}

const ONE_ZERO = Uint8Array.of(0);

/** [key, end) of the arguments and of `--prefix` and `--from-key`. @throws Exit */
export function keyRange(
  args: readonly string[],
  range: { prefix: boolean; fromKey: boolean },
): KeyRange {
  const key = bytes(args[0] ?? "");
  if (range.prefix && range.fromKey) {
    const text = "`--prefix` and `--from-key` cannot be set at the same time, choose one";
    throw badArguments(text);
  }
  if (!range.prefix && !range.fromKey) {
    return { key, rangeEnd: args[1] === undefined ? undefined : bytes(args[1]) };
  }
  if (args.length > 1) {
    throw badArguments(
      "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
    );
  }
  // The empty key stands for the first one there can be.
  if (key.length === 0) return { key: ONE_ZERO, rangeEnd: EVERYTHING_AFTER };
  return { key, rangeEnd: range.prefix ? prefixEnd(key) : EVERYTHING_AFTER };
}

export function consistency(text: string): { serializable: boolean } {
  if (text === "l" || text === "s") return { serializable: text === "s" };
  throw new Exit(ExitCode.BadFeature, `unknown consistency flag ${quote(text)}`);
}

interface GetFlags {
  readonly countOnly: { readonly value: boolean };
  readonly printValueOnly: { readonly value: boolean };
  readonly stream: { readonly value: boolean };
  /** @throws Exit */
  request(args: readonly string[]): RangeRequestInit;
}

/** Defines the flags of `get`, which requests in a transaction have, too. */
export function getFlags(flags: FlagSet): GetFlags {
  const level = flags.string("consistency", "l", "linearizable (l) or serializable (s)");
  const order = flags.string("order", "", "order of the keys: ASCEND or DESCEND");
  const sortBy = flags.string(
    "sort-by",
    "",
    "what to sort by: CREATE, KEY, MODIFY, VALUE or VERSION",
  );
  const limit = flags.integer("limit", 0n, "at most this many keys");
  const prefix = flags.boolean("prefix", false, "all keys that begin with <key>");
  const fromKey = flags.boolean("from-key", false, "all keys from <key> on");
  const rev = flags.integer("rev", 0n, "as of this revision");
  const keysOnly = flags.boolean("keys-only", false, "without values");
  const countOnly = flags.boolean("count-only", false, "only the number of keys");
  const printValueOnly = flags.boolean("print-value-only", false, "print values without keys");
  const minModRev = flags.integer("min-mod-rev", 0n, "changed last at this revision or later");
  const maxModRev = flags.integer("max-mod-rev", 0n, "changed last at this revision or earlier");
  const minCreateRev = flags.integer("min-create-rev", 0n, "created at this revision or later");
  const maxCreateRev = flags.integer("max-create-rev", 0n, "created at this revision or earlier");
  const stream = flags.boolean("stream", false, "have the answer sent in pieces");
  return {
    countOnly,
    printValueOnly,
    stream,
    request(args) {
      if (args.length === 0) {
        throw badArguments(
          "get command needs one argument as key and an optional argument as range_end",
        );
      }
      const range = keyRange(args, { prefix: prefix.value, fromKey: fromKey.value });
      if (keysOnly.value && countOnly.value) {
        throw badArguments(
          "`--keys-only` and `--count-only` cannot be set at the same time, choose one",
        );
      }
      const { serializable } = consistency(level.value);
      return {
        ...range,
        serializable,
        limit: Number(limit.value),
        revision: Number(rev.value),
        ...sorting(order.value, sortBy.value),
        keysOnly: keysOnly.value,
        countOnly: countOnly.value,
        minModRevision: Number(minModRev.value),
        maxModRevision: Number(maxModRev.value),
        minCreateRevision: Number(minCreateRev.value),
        maxCreateRevision: Number(maxCreateRev.value),
      };
    },
  };
}

function sorting(order: string, sortBy: string): { sortOrder: SortOrder; sortTarget: SortTarget } {
  const sortOrder = orders[order.toUpperCase()];
  if (sortOrder === undefined) throw new Exit(ExitCode.BadFeature, `bad sort order ${order}`);
  const sortTarget = targets[sortBy.toUpperCase()];
  if (sortTarget === undefined) throw new Exit(ExitCode.BadFeature, `bad sort target ${sortBy}`);
  // Keys come ascending anyway: asking for it would only cost the server a sort.
  const isNatural = sortOrder === SortOrder.ASCEND && sortTarget === SortTarget.KEY;
  return { sortOrder: isNatural ? SortOrder.NONE : sortOrder, sortTarget };
}

export function rangeLines(response: RangeResponse, style: Style): Piece[] {
  return response.kvs.flatMap((kv) => keyValueLines(kv, style));
}

export function rangeFields(response: RangeResponse, style: Style): string {
  const parts = [headerFields(response.header, style)];
  for (const kv of response.kvs) parts.push(keyValueFields(kv, style));
  parts.push(field("More", response.more), field("Count", response.count));
  return parts.join("");
}

export function rangeView(response: RangeResponse, options: { valueOnly?: boolean } = {}): View {
  const values = (style: Style): Piece[] =>
    response.kvs.flatMap((kv) => [plain(kv.value, style), "\n"]);
  return {
    ...messageView(response, RangeResponse_DESCRIPTOR, encodeRangeResponse),
    simple: options.valueOnly === true ? values : (style) => rangeLines(response, style),
    fields: (style) => [rangeFields(response, style)],
  };
}

export const body: Body<Session> = {
  prepare(flags) {
    const get = getFlags(flags);
    return async (session, args) => {
      const request = get.request(args);
      const kv = new Kv(await session.caller());
      const call = get.stream.value ? kv.rangeStreamed.bind(kv) : kv.range.bind(kv);
      const response = await call(request, session.callOptions);
      const { format } = session.style();
      if (get.countOnly.value && format !== "fields") {
        throw badArguments("--count-only is only for `--write-out=fields`");
      }
      if (get.printValueOnly.value && format !== "simple") {
        throw badArguments("print-value-only is only for `--write-out=simple`");
      }
      session.show(rangeView(response, { valueOnly: get.printValueOnly.value }));
    };
  },
};
