import { Kv } from "../../client/kv.ts";
import {
  encodeTxnResponse,
  type ResponseOp,
  type TxnRequestInit,
  type TxnResponse,
  TxnResponse_DESCRIPTOR,
} from "../../wire/messages/rpc-kv.ts";
import type { Body } from "../flags/command.ts";
import type { Piece } from "./console.ts";
import { deleteFields, deleteLines } from "./del.ts";
import { badArguments, Exit, ExitCode } from "./exit.ts";
import { rangeFields, rangeLines } from "./get.ts";
import { field, headerFields } from "./printers/fields.ts";
import { messageView, type Style, type View } from "./printers/view.ts";
import { putFields, putLines } from "./put.ts";
import type { Session, World } from "./session.ts";
import { parseCompare, parseOperation } from "./txn-parser.ts";

/** The lines up to the next empty one, each as `parse` makes of it. @throws Exit */
async function readBlock<Item>(
  world: World,
  parse: (line: string) => Item | Promise<Item>,
): Promise<Item[]> {
  const items: Item[] = [];
  for (;;) {
    const line = await world.console.readLine();
    // The last block, too, ends with an empty line: half a transaction is none.
    if (!line.endsWith("\n")) throw new Exit(ExitCode.InvalidInput, "EOF");
    const text = line.trim();
    if (text === "") return items;
    items.push(await parse(text));
  }
}

async function readTxn(world: World, isInteractive: boolean): Promise<TxnRequestInit> {
  const prompt = (text: string): void => {
    if (isInteractive) world.console.out(`${text}\n`);
  };
  prompt("compares:");
  const compare = await readBlock(world, (line) => parseCompare(world, line));
  prompt("success requests (get, put, del):");
  const success = await readBlock(world, (line) => parseOperation(world, line));
  prompt("failure requests (get, put, del):");
  const failure = await readBlock(world, (line) => parseOperation(world, line));
  return { compare, success, failure };
}

function operationLines(op: ResponseOp, style: Style): Piece[] {
  if (op.responseRange !== undefined) return rangeLines(op.responseRange, style);
  if (op.responsePut !== undefined) return putLines(op.responsePut, style);
  if (op.responseDeleteRange !== undefined) return deleteLines(op.responseDeleteRange, style);
  return [];
}

function operationFields(op: ResponseOp, style: Style): string {
  if (op.responseRange !== undefined) return rangeFields(op.responseRange, style);
  if (op.responsePut !== undefined) return putFields(op.responsePut, style);
  if (op.responseDeleteRange !== undefined) return deleteFields(op.responseDeleteRange, style);
  return "";
}

export function txnView(response: TxnResponse): View {
  return {
    ...messageView(response, TxnResponse_DESCRIPTOR, encodeTxnResponse),
    simple: (style) => [
      response.succeeded ? "SUCCESS\n" : "FAILURE\n",
      ...response.responses.flatMap((op) => ["\n", ...operationLines(op, style)]),
    ],
    fields: (style) => [
      headerFields(response.header, style),
      field("Succeeded", response.succeeded),
      ...response.responses.map((op) => operationFields(op, style)),
    ],
  };
}

export const body: Body<Session> = {
  long: `Reads conditions and requests from standard input and does them as one transaction.

The input has three blocks, each ended by an empty line:
1) conditions,
2) requests to do if all of them hold,
3) requests to do otherwise.

$ etcdctl txn -i
compares:
mod("key1") > "0"

success requests (get, put, del):
put key1 "overwrote-key1"

failure requests (get, put, del):
put key1 "created-key1"
put key2 "some extra key"

Conditions compare value, version, create or mod of a key by =, !=, < or >.`,
  prepare(flags) {
    const interactive = flags.boolean("interactive", false, "prompt for the blocks", {
      short: "i",
    });
    return async (session, args) => {
      if (args.length > 0) throw badArguments("txn command does not accept argument");
      const request = await readTxn(session.world, interactive.value);
      const kv = new Kv(await session.caller());
      // No time limit: the input has been typed, perhaps at length.
      session.show(txnView(await kv.txn(request)));
    };
  },
};
