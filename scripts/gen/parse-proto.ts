// A parser for the part of the .proto language that our files use: syntax, package, import,
// messages with fields and oneofs, enums (also nested), services. No options, maps, extensions,
// groups, reserved ranges or nested messages: those are errors, not surprises.
//
// One addition: a comment line "// file: name.ts" says where the code of what follows goes.

export interface ProtoField {
  readonly name: string;
  readonly number: number;
  readonly label: "singular" | "repeated";
  /** As written: a scalar type or the name of a message or enum, maybe qualified. */
  readonly type: string;
  readonly oneof: string | undefined;
}

export interface ProtoEnum {
  readonly name: string;
  /** The message that it is nested in. */
  readonly scope: string | undefined;
  readonly values: readonly { readonly name: string; readonly number: number }[];
  readonly file: string;
}

export interface ProtoMessage {
  readonly name: string;
  readonly fields: readonly ProtoField[];
  readonly file: string;
}

export interface ProtoMethod {
  readonly name: string;
  readonly request: string;
  readonly response: string;
  readonly kind: "unary" | "server-stream" | "client-stream" | "bidi-stream";
}

export interface ProtoService {
  readonly name: string;
  readonly methods: readonly ProtoMethod[];
}

export interface ProtoFile {
  readonly path: string;
  readonly syntax: "proto2" | "proto3";
  readonly package: string;
  readonly imports: readonly string[];
  readonly messages: readonly ProtoMessage[];
  readonly enums: readonly ProtoEnum[];
  readonly services: readonly ProtoService[];
}

interface Draft {
  syntax: "proto2" | "proto3";
  package: string;
  imports: string[];
  messages: ProtoMessage[];
  enums: ProtoEnum[];
  services: ProtoService[];
}

/** `path` is the name of the file in proto/; `defaultFile` receives the code by default. */
export function parseProto(path: string, text: string, defaultFile: string): ProtoFile {
  const tokens = new Tokens(path, text, defaultFile);
  const draft: Draft = {
    syntax: "proto2",
    package: "",
    imports: [],
    messages: [],
    enums: [],
    services: [],
  };
  while (!tokens.isDone()) parseTopLevel(tokens, draft);
  return { path, ...draft };
}

function parseTopLevel(tokens: Tokens, draft: Draft): void {
  const word = tokens.next();
  switch (word) {
    case "syntax":
      tokens.expect("=");
      draft.syntax = tokens.next() === '"proto2"' ? "proto2" : "proto3";
      tokens.expect(";");
      return;
    case "package":
      draft.package = tokens.next();
      tokens.expect(";");
      return;
    case "import":
      draft.imports.push(tokens.next().slice(1, -1));
      tokens.expect(";");
      return;
    case "message":
      parseMessage(tokens, draft);
      return;
    case "enum":
      draft.enums.push(parseEnum(tokens, undefined));
      return;
    case "service":
      draft.services.push(parseService(tokens));
      return;
    default:
      throw tokens.error(`unexpected "${word}"`);
  }
}

function parseMessage(tokens: Tokens, draft: Draft): void {
  const file = tokens.file;
  const name = tokens.next();
  const fields: ProtoField[] = [];
  tokens.expect("{");
  for (let word = tokens.next(); word !== "}"; word = tokens.next()) {
    if (word === "enum") {
      draft.enums.push(parseEnum(tokens, name));
    } else if (word === "oneof") {
      const oneof = tokens.next();
      tokens.expect("{");
      for (let type = tokens.next(); type !== "}"; type = tokens.next()) {
        fields.push(parseField(tokens, "singular", type, oneof));
      }
    } else if (word === "repeated") {
      fields.push(parseField(tokens, "repeated", tokens.next(), undefined));
    } else {
      const type = word === "optional" ? tokens.next() : word;
      fields.push(parseField(tokens, "singular", type, undefined));
    }
  }
  draft.messages.push({ name, fields, file });
}

function parseField(
  tokens: Tokens,
  label: ProtoField["label"],
  type: string,
  oneof: string | undefined,
): ProtoField {
  const name = tokens.next();
  tokens.expect("=");
  const number = tokens.number();
  tokens.expect(";");
  return { name, number, label, type, oneof };
}

function parseEnum(tokens: Tokens, scope: string | undefined): ProtoEnum {
  const file = tokens.file;
  const name = tokens.next();
  const values: { name: string; number: number }[] = [];
  tokens.expect("{");
  for (let word = tokens.next(); word !== "}"; word = tokens.next()) {
    tokens.expect("=");
    values.push({ name: word, number: tokens.number() });
    tokens.expect(";");
  }
  return { name, scope, values, file };
}

function parseService(tokens: Tokens): ProtoService {
  const name = tokens.next();
  const methods: ProtoMethod[] = [];
  tokens.expect("{");
  for (let word = tokens.next(); word !== "}"; word = tokens.next()) {
    if (word !== "rpc") throw tokens.error(`unexpected "${word}"`);
    const method = tokens.next();
    const request = parseMethodType(tokens);
    tokens.expect("returns");
    const response = parseMethodType(tokens);
    tokens.expect(";");
    const kind = request.isStream
      ? response.isStream
        ? "bidi-stream"
        : "client-stream"
      : response.isStream
        ? "server-stream"
        : "unary";
    methods.push({ name: method, request: request.type, response: response.type, kind });
  }
  return { name, methods };
}

function parseMethodType(tokens: Tokens): { type: string; isStream: boolean } {
  tokens.expect("(");
  const first = tokens.next();
  const isStream = first === "stream";
  const type = isStream ? tokens.next() : first;
  tokens.expect(")");
  return { type, isStream };
}

const TOKEN = /\/\/[^\n]*|"[^"]*"|[A-Za-z_][\w.]*|\d+|[{}()=;]|\s+/y;

class Tokens {
  /** Where the code of the next message or enum goes. */
  file: string;
  readonly #path: string;
  readonly #text: string;
  #at = 0;

  constructor(path: string, text: string, file: string) {
    this.#path = path;
    this.#text = text;
    this.file = file;
    this.#skip();
  }

  isDone(): boolean {
    return this.#at === this.#text.length;
  }

  next(): string {
    const token = this.#scan();
    this.#skip();
    return token;
  }

  expect(token: string): void {
    const found = this.next();
    if (found !== token) throw this.error(`"${token}" expected, "${found}" found`);
  }

  number(): number {
    const token = this.next();
    if (!/^\d+$/.test(token)) throw this.error(`number expected, "${token}" found`);
    return Number(token);
  }

  error(text: string): Error {
    const line = this.#text.slice(0, this.#at).split("\n").length;
    return new Error(`${this.#path}:${line}: ${text}`);
  }

  #skip(): void {
    while (!this.isDone()) {
      const before = this.#at;
      const token = this.#scan();
      const file = /^\/\/ file: (\S+)/.exec(token)?.[1];
      if (file !== undefined) this.file = file;
      if (token.trim() !== "" && !token.startsWith("//")) {
        this.#at = before;
        return;
      }
    }
  }

  #scan(): string {
    TOKEN.lastIndex = this.#at;
    const token = TOKEN.exec(this.#text)?.[0];
    if (token === undefined) throw this.error("unknown character or end of file");
    this.#at += token.length;
    return token;
  }
}
