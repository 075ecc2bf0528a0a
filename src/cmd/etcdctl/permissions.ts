// Permissions of roles: as arguments, and as `role get` and `user get --detail` show them.

import { bytes } from "../../client/bytes.ts";
import { EVERYTHING_AFTER, prefixEnd } from "../../client/keys.ts";
import {
  type Permission,
  PermissionType,
  PermissionType_DESCRIPTOR,
} from "../../wire/messages/auth.ts";
import {
  type AuthRoleGetResponse,
  AuthRoleGetResponse_DESCRIPTOR,
  encodeAuthRoleGetResponse,
} from "../../wire/messages/rpc-auth.ts";
import type { FlagSet } from "../flags/flag-set.ts";
import type { Piece } from "./console.ts";
import { badArguments } from "./exit.ts";
import { field, headerFields, quotedField } from "./printers/fields.ts";
import { messageView, type View } from "./printers/view.ts";

interface PermissionRange {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

/** Defines `--prefix` and `--from-key`; the result reads `<key> [endkey]`. @throws Exit */
export function permissionRange(flags: FlagSet): (words: readonly string[]) => PermissionRange {
  const prefix = flags.boolean("prefix", false, "all keys that begin with <key>");
  const fromKey = flags.boolean("from-key", false, "all keys from <key> on");
  return (words) => {
    if (prefix.value && fromKey.value) {
      throw badArguments("--from-key and --prefix flags are mutually exclusive");
    }
    const key = bytes(words[0] ?? "");
    // The empty key stands for the first one there can be.
    const first = key.length === 0 ? EVERYTHING_AFTER : key;
    if (!prefix.value && !fromKey.value) {
      return { key: first, rangeEnd: bytes(words[1] ?? "") };
    }
    if (words.length > 1) {
      const flag = prefix.value ? "--prefix" : "--from-key";
      throw badArguments(`unexpected endkey argument with ${flag} flag`);
    }
    return { key: first, rangeEnd: prefix.value ? prefixEnd(key) : EVERYTHING_AFTER };
  };
}

function isOpen(rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0;
}

/** `key`, `[key, end)` or `[key, <open ended>`. */
export function rangePieces({ key, rangeEnd }: PermissionRange): Piece[] {
  if (rangeEnd.length === 0) return [key];
  if (isOpen(rangeEnd)) return ["[", key, ", <open ended>"];
  return ["[", key, ", ", rangeEnd, ")"];
}

function permissionLine(permission: Permission): Piece[] {
  const { key, rangeEnd } = permission;
  const isPrefix =
    rangeEnd.length > 0 && !isOpen(rangeEnd) && Buffer.compare(prefixEnd(key), rangeEnd) === 0;
  return ["\t", ...rangePieces(permission), ...(isPrefix ? [" (prefix ", key, ")"] : []), "\n"];
}

export function roleView(role: string, response: AuthRoleGetResponse): View {
  const { header, perm } = response;
  const linesOf = (type: PermissionType): Piece[] =>
    perm
      .filter(({ permType }) => permType === type || permType === PermissionType.READWRITE)
      .flatMap(permissionLine);
  return {
    ...messageView(response, AuthRoleGetResponse_DESCRIPTOR, encodeAuthRoleGetResponse),
    simple: () => [
      `Role ${role}\nKV Read:\n`,
      ...linesOf(PermissionType.READ),
      "KV Write:\n",
      ...linesOf(PermissionType.WRITE),
    ],
    fields: (style) => [
      headerFields(header, style),
      ...perm.map(
        ({ permType, key, rangeEnd }) =>
          field("PermType", ` ${PermissionType_DESCRIPTOR.nameOf.get(permType)}`) +
          quotedField("Key", key) +
          quotedField("RangeEnd", rangeEnd),
      ),
    ],
  };
}
