// What the emitters need to know of all .proto files together: names resolved, types classified,
// the names of the TypeScript side given.

import type { ScalarType } from "../../src/wire/protobuf/descriptor.ts";
import type { ProtoField, ProtoFile, ProtoService } from "./parse-proto.ts";

export interface EnumModel {
  readonly kind: "enum";
  readonly name: string;
  readonly fullName: string;
  readonly values: readonly { readonly name: string; readonly number: number }[];
  readonly file: string;
}

export interface FieldModel {
  readonly name: string;
  readonly property: string;
  readonly number: number;
  readonly repeated: boolean;
  readonly type: ScalarType | EnumModel | MessageModel;
  readonly isBig: boolean;
  readonly oneof: string | undefined;
  /** Zero is written and absence differs from it: proto2 and members of a oneof. */
  readonly hasPresence: boolean;
  readonly isPacked: boolean;
}

export interface MessageModel {
  readonly kind: "message";
  readonly name: string;
  readonly fullName: string;
  readonly syntax: "proto2" | "proto3";
  readonly fields: FieldModel[];
  readonly file: string;
}

export interface ServiceModel {
  readonly package: string;
  readonly service: ProtoService;
}

export interface Model {
  readonly messages: readonly MessageModel[];
  readonly enums: readonly EnumModel[];
  readonly services: readonly ServiceModel[];
  /** Output file → the .proto file that it comes from. */
  readonly sources: ReadonlyMap<string, string>;
  resolveMessage(packageName: string, type: string): MessageModel;
}

const SCALARS = new Set<string>(["int64", "uint64", "int32", "uint32", "bool", "string", "bytes"]);

/**
 * 64-bit fields that are opaque ids: they use all bits and are bigint. All other 64-bit fields
 * count something and are number.
 */
const ID_FIELDS: ReadonlySet<string> = new Set([
  ..."ID id member_id member_ID memberID cluster_id ClusterID node_id NodeID targetID".split(" "),
  ..."lease leader from to vote voters learners voters_outgoing learners_next".split(" "),
]);

export function buildModel(files: readonly ProtoFile[]): Model {
  const byName = new Map<string, EnumModel | MessageModel>();
  const messages: MessageModel[] = [];
  const enums: EnumModel[] = [];
  const services: ServiceModel[] = [];
  const sources = new Map<string, string>();
  const open: { model: MessageModel; fields: readonly ProtoField[]; file: ProtoFile }[] = [];

  for (const file of files) {
    for (const { name, scope, values, file: output } of file.enums) {
      const fullName = [file.package, scope, name].filter((part) => part !== undefined).join(".");
      const model: EnumModel = {
        kind: "enum",
        name: enumName(scope, name),
        fullName,
        values,
        file: output,
      };
      enums.push(model);
      byName.set(fullName, model);
      sources.set(output, file.path);
    }
    for (const message of file.messages) {
      const model: MessageModel = {
        kind: "message",
        name: capitalise(message.name),
        fullName: `${file.package}.${message.name}`,
        syntax: file.syntax,
        fields: [],
        file: message.file,
      };
      messages.push(model);
      byName.set(model.fullName, model);
      sources.set(message.file, file.path);
      open.push({ model, fields: message.fields, file });
    }
    for (const service of file.services) services.push({ package: file.package, service });
  }

  const resolve = (scopes: readonly string[], type: string): EnumModel | MessageModel => {
    for (const scope of scopes) {
      const found = byName.get(scope === "" ? type : `${scope}.${type}`);
      if (found !== undefined) return found;
    }
    throw new Error(`unknown type ${type} in ${scopes[0]}`);
  };
  for (const { model, fields, file } of open) {
    const scopes = [model.fullName, file.package, ""];
    for (const field of fields) {
      const type = SCALARS.has(field.type)
        ? (field.type as ScalarType)
        : resolve(scopes, field.type);
      model.fields.push(buildField(file, field, type));
    }
  }
  return {
    messages,
    enums,
    services,
    sources,
    resolveMessage(packageName, type) {
      const found = resolve([packageName, ""], type);
      if (found.kind !== "message") throw new Error(`${type} is not a message`);
      return found;
    },
  };
}

function buildField(file: ProtoFile, field: ProtoField, type: FieldModel["type"]): FieldModel {
  const repeated = field.label === "repeated";
  const isVarint = typeof type === "string" ? !["string", "bytes"].includes(type) : false;
  const isEnum = typeof type !== "string" && type.kind === "enum";
  return {
    name: field.name,
    property: propertyName(field.name),
    number: field.number,
    repeated,
    type,
    isBig: (type === "int64" || type === "uint64") && ID_FIELDS.has(field.name),
    oneof: field.oneof,
    hasPresence: file.syntax === "proto2" || field.oneof !== undefined,
    isPacked: repeated && (isVarint || isEnum) && file.syntax === "proto3",
  };
}

/** A nested enum keeps its own name; "Type" alone would say nothing. */
function enumName(scope: string | undefined, name: string): string {
  return scope !== undefined && name === "Type" ? `${scope}${name}` : name;
}

/** `range_end` → `rangeEnd`, `ID` → `id`, `Term` → `term`, `peerURLs` stays. */
export function propertyName(name: string): string {
  if (/^[A-Z]+$/.test(name)) return name.toLowerCase();
  const [first, ...rest] = name.split("_");
  return first!.charAt(0).toLowerCase() + first!.slice(1) + rest.map(capitalise).join("");
}

function capitalise(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
