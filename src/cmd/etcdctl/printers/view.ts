// What a command can show of its result, one function per output format. A format that is missing
// is an error of its own ("table not supported as output format"), told after the command has had
// its effect, as in etcd.

import type { MessageDescriptor } from "../../../wire/protobuf/descriptor.ts";
import type { Piece } from "../console.ts";
import { Exit, ExitCode } from "../exit.ts";
import { messageJson } from "./json.ts";

export type Format = "simple" | "json" | "table" | "fields" | "protobuf";

const formats: readonly string[] = ["simple", "json", "table", "fields", "protobuf"];

export interface Style {
  readonly format: Format;
  /** Bytes and ids as hexadecimal numbers. */
  readonly hex: boolean;
}

/** @throws Exit when there is no such format */
export function parseFormat(text: string): Format {
  if (!formats.includes(text)) throw new Exit(ExitCode.BadFeature, "unsupported output format");
  return text as Format;
}

export type View = { readonly [F in Format]?: (style: Style) => readonly Piece[] };

/** What the shape of a message alone gives: its JSON and its bytes. */
export function messageView<M>(
  message: M,
  descriptor: MessageDescriptor,
  encode: (message: M) => Uint8Array,
): Required<Pick<View, "json" | "protobuf">> {
  return {
    json: () => [`${messageJson(descriptor, message)}\n`],
    protobuf: () => [encode(message)],
  };
}

/** @throws Exit when the result cannot be shown so */
export function render(view: View, style: Style): readonly Piece[] {
  const show = view[style.format];
  if (show === undefined) {
    throw new Exit(ExitCode.BadFeature, `${style.format} not supported as output format`);
  }
  return show(style);
}
