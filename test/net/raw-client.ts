// An HTTP/2 client that does exactly what a test tells it, right or wrong: frames in, frames out.
// Its header blocks are literals that touch no table.

import { connect, type Socket } from "node:net";
import { FrameReader } from "../../src/net/frame-reader.ts";
import {
  Flag,
  FrameType,
  PREFACE,
  readUint32,
  writeFrameHeader,
  writeUint32,
} from "../../src/net/frames.ts";
import type { HeaderField } from "../../src/net/header-field.ts";
import { HpackDecoder } from "../../src/net/hpack-decoder.ts";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** What a gRPC client sends first, for `path`. */
export function grpcHeaders(
  path: string,
  ...more: [string, string][]
): readonly (readonly [string, string])[] {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "localhost"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ...more,
  ];
}

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const bytes = Buffer.alloc(9 + payload.length);
  writeFrameHeader(bytes, 0, payload.length, type, flags, streamId);
  bytes.set(payload, 9);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  writeUint32(bytes, 0, value);
  return bytes;
}

/** Literals without indexing; strings up to 16,510 characters. */
export function headerBlock(fields: readonly (readonly [string, string])[]): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) parts.push(Buffer.from([0]), text(name), text(value));
  return Buffer.concat(parts);
}

/** One gRPC message with its prefix. */
export function message(body: Uint8Array, format = 0): Buffer {
  return Buffer.concat([Buffer.from([format]), uint32(body.length), body]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const rest = bytes.length - 127;
  return Buffer.concat([Buffer.from([127, 0x80 | (rest & 0x7f), rest >>> 7]), bytes]);
}

export class RawClient {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  isClosed = false;
  readonly #decoder = new HpackDecoder(1 << 20);
  #waiting: (() => void)[] = [];

  constructor(address: string) {
    const colon = address.lastIndexOf(":");
    this.socket = connect(Number(address.slice(colon + 1)), address.slice(0, colon));
    const reader = new FrameReader({
      onFrame: (type, flags, streamId, bytes, start, end) => {
        this.frames.push({ type, flags, streamId, payload: Buffer.from(bytes.slice(start, end)) });
      },
    });
    this.socket.on("data", (chunk) => {
      reader.push(chunk);
      this.#wake();
    });
    const onClosed = (): void => {
      this.isClosed = true;
      this.#wake();
    };
    this.socket.on("error", onClosed);
    this.socket.on("end", onClosed);
    this.socket.on("close", onClosed);
  }

  /** Preface and SETTINGS; those of the server are acknowledged before they come. */
  hello(settings: readonly (readonly [id: number, value: number])[] = []): this {
    const payload = settings.map(([id, value]) =>
      Buffer.concat([Buffer.from([0, id]), uint32(value)]),
    );
    this.send(PREFACE, frame(FrameType.Settings, 0, 0, Buffer.concat(payload)));
    this.send(frame(FrameType.Settings, Flag.Ack, 0));
    return this;
  }

  send(...parts: Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(parts));
  }

  headers(streamId: number, fields: readonly (readonly [string, string])[], isEnd = false): Buffer {
    const flags = Flag.EndHeaders | (isEnd ? Flag.EndStream : 0);
    return frame(FrameType.Headers, flags, streamId, headerBlock(fields));
  }

  data(streamId: number, payload: Uint8Array, isEnd = false): Buffer {
    return frame(FrameType.Data, isEnd ? Flag.EndStream : 0, streamId, payload);
  }

  /** A whole unary request. */
  call(streamId: number, path: string, body: Uint8Array): void {
    this.send(this.headers(streamId, grpcHeaders(path)), this.data(streamId, message(body), true));
  }

  windowUpdate(streamId: number, increment: number): Buffer {
    return frame(FrameType.WindowUpdate, 0, streamId, uint32(increment));
  }

  reset(streamId: number, code: number): Buffer {
    return frame(FrameType.RstStream, 0, streamId, uint32(code));
  }

  /** Waits until `found` is true after some input, or until the connection is closed. */
  async until(found: () => boolean): Promise<void> {
    while (!found() && !this.isClosed) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async closed(): Promise<void> {
    await this.until(() => false);
  }

  of(type: number, streamId: number): Frame[] {
    return this.frames.filter((one) => one.type === type && one.streamId === streamId);
  }

  /** The first frame that fits, waited for. */
  async frame(type: number, streamId: number): Promise<Frame | undefined> {
    await this.until(() => this.of(type, streamId).length > 0);
    return this.of(type, streamId)[0];
  }

  /** The error code of the GOAWAY that ended the connection, or -1 without one. */
  async goAway(): Promise<number> {
    await this.closed();
    const last = this.of(FrameType.GoAway, 0).at(-1);
    return last === undefined ? -1 : readUint32(last.payload, 4);
  }

  async resetCode(streamId: number): Promise<number> {
    const found = await this.frame(FrameType.RstStream, streamId);
    return found === undefined ? -1 : readUint32(found.payload, 0);
  }

  /** Waits for the end of a stream; decodes all header blocks, so call it once per connection. */
  async answer(streamId: number): Promise<{ fields: Map<string, string>; body: Buffer }> {
    await this.until(() => this.#isEnded(streamId));
    const fields = new Map<string, string>();
    for (const one of this.frames.filter(({ type }) => type === FrameType.Headers)) {
      this.#decoder.decode(one.payload, 0, one.payload.length, {
        onField: (field: HeaderField) => {
          if (one.streamId === streamId) fields.set(field.name, field.value);
        },
      });
    }
    const body = Buffer.concat(this.of(FrameType.Data, streamId).map(({ payload }) => payload));
    return { fields, body };
  }

  destroy(): void {
    this.socket.destroy();
  }

  #isEnded(streamId: number): boolean {
    return this.frames.some(
      (one) =>
        one.streamId === streamId &&
        (one.type === FrameType.RstStream ||
          (one.type <= FrameType.Headers && (one.flags & Flag.EndStream) !== 0)),
    );
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
