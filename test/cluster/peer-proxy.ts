// The cables between the members of a cluster of processes. Each member is known to the others by
// the address of a proxy, which forwards to where the member listens; who dials says so in the
// first lines of its first request (X-Server-From), so that a cable can be cut for two of them:
// its connections end, and new ones get no answer.
//
//   m1 ── dials ──► proxy of m2 ──► m2        cut(m1, m2): nothing of what m1 dials reaches m2
//
// Streams are dialled by who receives on them, so one direction of a conversation can be cut.

import { connect, createServer, type Server, type Socket } from "node:net";

/** A request whose sender is not known by then is nobody's. */
const HEAD_BYTES_MAX = 16 * 1024;
const SENDER = /^x-server-from: *([0-9a-f]+)\r$/im;

interface Cable {
  readonly from: bigint | undefined;
  readonly inner: Socket;
  readonly outer: Socket;
}

export class PeerProxy {
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #cables = new Set<Cable>();
  readonly #waiting = new Set<Socket>();
  readonly #cutFrom = new Set<bigint>();

  static async listen(port: number, targetPort: number): Promise<PeerProxy> {
    const proxy = new PeerProxy(targetPort);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(port, "127.0.0.1", resolve);
    });
    return proxy;
  }

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** What `from` dials gets no further. */
  cut(from: bigint): void {
    this.#cutFrom.add(from);
    for (const cable of this.#cables) {
      if (cable.from !== from) continue;
      // Not closed towards the sender: to it the other side is silent, as behind a broken switch.
      cable.inner.destroy();
      cable.outer.unpipe();
      this.#cables.delete(cable);
      this.#waiting.add(cable.outer);
    }
  }

  heal(): void {
    this.#cutFrom.clear();
    for (const socket of this.#waiting) socket.destroy();
    this.#waiting.clear();
  }

  close(): void {
    this.#server.close();
    this.heal();
    for (const { inner, outer } of this.#cables) {
      inner.destroy();
      outer.destroy();
    }
  }

  #accept(outer: Socket): void {
    let head = "";
    outer.on("error", () => {});
    outer.on("close", () => this.#waiting.delete(outer));
    const onData = (bytes: Buffer): void => {
      head += bytes.toString("latin1");
      if (!head.includes("\r\n\r\n") && head.length < HEAD_BYTES_MAX) return;
      outer.off("data", onData);
      outer.pause();
      const sender = SENDER.exec(head)?.[1];
      this.#connect(outer, head, sender === undefined ? undefined : BigInt(`0x${sender}`));
    };
    outer.on("data", onData);
  }

  #connect(outer: Socket, head: string, from: bigint | undefined): void {
    if (from !== undefined && this.#cutFrom.has(from)) {
      this.#waiting.add(outer);
      return;
    }
    const inner = connect(this.#targetPort, "127.0.0.1");
    const cable: Cable = { from, inner, outer };
    this.#cables.add(cable);
    const end = (): void => {
      if (!this.#cables.delete(cable)) return;
      inner.destroy();
      outer.destroy();
    };
    inner.on("error", end).on("close", end);
    outer.on("close", end);
    inner.write(head, "latin1");
    inner.setNoDelay(true);
    outer.setNoDelay(true);
    outer.pipe(inner);
    inner.pipe(outer);
  }
}
