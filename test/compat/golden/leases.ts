// Leases of the server of a transcript. Their ids are chosen by the server, and not every command
// that grants one shows it: so the server is asked for them before and after.

import { sleep } from "./member.ts";
import { request } from "./raw-http.ts";

const TIMEOUT_MS = 5000;

export class Leases {
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  async ids(): Promise<bigint[]> {
    const { leases = [] } = await this.#post("leases", {});
    return (leases as readonly { readonly ID: string }[]).map(({ ID }) => BigInt(ID));
  }

  /** The one that was not there `before`, soon. @throws Error for none or several */
  async granted(before: readonly bigint[]): Promise<bigint> {
    const deadline = performance.now() + TIMEOUT_MS;
    for (;;) {
      const [id, ...more] = (await this.ids()).filter((one) => !before.includes(one));
      if (more.length > 0) throw new Error(`${more.length + 1} leases were granted, not one`);
      if (id !== undefined) return id;
      if (performance.now() > deadline) throw new Error("no lease was granted");
      await sleep(50);
    }
  }

  async grant(ttlSeconds: number): Promise<bigint> {
    const { ID } = await this.#post("grant", { TTL: ttlSeconds });
    return BigInt(ID as string);
  }

  /** One that ends by itself meanwhile is no fault. */
  async revokeAll(): Promise<void> {
    for (const id of await this.ids()) await this.#post("revoke", { ID: String(id) });
    const left = await this.ids();
    if (left.length > 0) throw new Error(`${left.length} leases are left`);
  }

  async #post(method: string, body: object): Promise<Readonly<Record<string, unknown>>> {
    const path = `/v3/lease/${method}`;
    const options = { port: this.#port, method: "POST", path, headers: [], timeoutMs: TIMEOUT_MS };
    const answer = await request({ ...options, body: JSON.stringify(body) });
    return JSON.parse(answer.body.toString("utf8"));
  }
}
