// A line of a scenario taken apart, and the requests that lines stand for.

import {
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
} from "../../../src/wire/messages/rpc-kv.ts";
import { encodeLeaseGrantRequest } from "../../../src/wire/messages/rpc-lease.ts";

export interface Words {
  readonly command: string;
  readonly args: readonly string[];
  /** `name=value` where the name is one of these; numbers are numbers. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

const OPTIONS =
  /^(via|expect|keep|from|revision|snapshot\w+|backend\w+|compaction\w+|\w+Ms|\w+Wals|preVote)=/;
const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** undefined: a line without a command. Underscores stand for blanks. */
export function commandOf(line: string): Words | undefined {
  const words = line.replace(/#.*/, "").trim().split(/\s+/);
  const [command, ...rest] = words;
  if (command === undefined || command === "") return undefined;
  const args = rest.filter((word) => !OPTIONS.test(word));
  const options = Object.fromEntries(
    rest
      .filter((word) => OPTIONS.test(word))
      .map((word) => {
        const [name, value] = word.split("=") as [string, string];
        return [name, meaningOf(value.replaceAll("_", " "))];
      }),
  );
  return { command, args, options };
}

function meaningOf(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** "x*3" is "xxx". */
function textOf(value: string): string {
  const [, letter, count] = /^(.)\*(\d+)$/.exec(value) ?? [];
  return letter === undefined ? value : letter.repeat(Number(count));
}

export function requestOf({ command, args }: Words): { path: string; request: Uint8Array } {
  const [key, value] = (args[0] ?? "").split("=") as [string, string | undefined];
  switch (command) {
    case "put": {
      const request = encodePutRequest({ key: bytes(key), value: bytes(textOf(value ?? "")) });
      return { path: "/etcdserverpb.KV/Put", request };
    }
    case "del":
      return {
        path: "/etcdserverpb.KV/DeleteRange",
        request: encodeDeleteRangeRequest({ key: bytes(key) }),
      };
    case "compact":
      return {
        path: "/etcdserverpb.KV/Compact",
        request: encodeCompactionRequest({ revision: Number(key) }),
      };
    case "lease":
      return {
        path: "/etcdserverpb.Lease/LeaseGrant",
        request: encodeLeaseGrantRequest({ id: BigInt(key), ttl: Number(args[1]) }),
      };
    case "get":
      return { path: "/etcdserverpb.KV/Range", request: encodeRangeRequest({ key: bytes(key) }) };
    default:
      throw new Error(`no such request: ${command}`);
  }
}
