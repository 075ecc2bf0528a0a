// What a message looks like, for code that works on any message: JSON, `-w fields`, the gateway.

export type ScalarType = "int64" | "uint64" | "int32" | "uint32" | "bool" | "string" | "bytes";

export interface EnumDescriptor {
  readonly name: string;
  readonly nameOf: ReadonlyMap<number, string>;
  readonly numberOf: ReadonlyMap<string, number>;
}

export interface FieldDescriptor {
  /** As in the .proto file, which is also the name in JSON that is written. */
  readonly name: string;
  /** lowerCamelCase of `name`: accepted in JSON that is read. */
  readonly jsonName: string;
  /** The property of the TypeScript interface. */
  readonly property: string;
  readonly number: number;
  readonly type: ScalarType | "enum" | "message";
  readonly repeated: boolean;
  /** The property is a bigint. */
  readonly big: boolean;
  /** Name of the oneof that this field is a member of. */
  readonly oneof: string | undefined;
  /** Set for type "message"; a function because messages may contain themselves. */
  readonly message: (() => MessageDescriptor) | undefined;
  /** Set for type "enum". */
  readonly enum: EnumDescriptor | undefined;
}

export interface MessageDescriptor {
  /** With package, as "etcdserverpb.RangeRequest". */
  readonly name: string;
  readonly syntax: "proto2" | "proto3";
  /** In the order of the wire: by number, but members of a oneof behind all other fields. */
  readonly fields: readonly FieldDescriptor[];
  /** In the order of the .proto file, which is the order in JSON. */
  readonly declared: readonly FieldDescriptor[];
}

export interface FieldOptions {
  readonly repeated?: boolean;
  readonly big?: boolean;
  readonly oneof?: string;
  readonly message?: () => MessageDescriptor;
  readonly enum?: EnumDescriptor;
}

export function describeEnum(
  name: string,
  values: Readonly<Record<string, number>>,
): EnumDescriptor {
  const nameOf = new Map<number, string>();
  const numberOf = new Map<string, number>();
  for (const [key, number] of Object.entries(values)) {
    nameOf.set(number, key);
    numberOf.set(key, number);
  }
  return { name, nameOf, numberOf };
}

export function describeField(
  name: string,
  property: string,
  number: number,
  type: FieldDescriptor["type"],
  options: FieldOptions = {},
): FieldDescriptor {
  return {
    name,
    jsonName: jsonNameOf(name),
    property,
    number,
    type,
    repeated: options.repeated ?? false,
    big: options.big ?? false,
    oneof: options.oneof,
    message: options.message,
    enum: options.enum,
  };
}

export function describeMessage(
  name: string,
  syntax: "proto2" | "proto3",
  declared: readonly FieldDescriptor[],
): MessageDescriptor {
  const fields = [...declared].sort(
    (a, b) => Number(a.oneof !== undefined) - Number(b.oneof !== undefined) || a.number - b.number,
  );
  return { name, syntax, fields, declared };
}

export function isLengthDelimited({ type }: FieldDescriptor): boolean {
  return type === "string" || type === "bytes" || type === "message";
}

/** Protobuf's rule: an underscore goes, the letter after it becomes a capital. */
function jsonNameOf(name: string): string {
  return name.replace(/_+(.?)/g, (_, letter: string) => letter.toUpperCase());
}
