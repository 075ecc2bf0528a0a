// What a transcript prepares over HTTP and does not record:
//
//     do: post /v3/maintenance/alarm '{"action":"ACTIVATE","alarm":"CORRUPT"}'
//     do: put-until-refused fill 200000           puts of so many bytes, until one is refused

import { request } from "./raw-http.ts";

const TIMEOUT_MS = 5000;
/** Lets the backend commit, so that the number of puts is the same each time. */
const PAUSE_MS = 250;
const PUTS_MAX = 40;

export async function post(port: number, path: string, body: string): Promise<number> {
  const options = { port, method: "POST", path, headers: [], body, timeoutMs: TIMEOUT_MS };
  return (await request(options)).status;
}

export async function prepareHttp(
  port: number,
  verb: string,
  [first = "", second = ""]: readonly string[],
): Promise<void> {
  if (verb === "post") {
    const status = await post(port, first, second);
    if (status !== 200) throw new Error(`do: post ${first} is answered ${status}`);
    return;
  }
  const value = Buffer.alloc(Number(second), "z").toString("base64");
  const body = JSON.stringify({ key: Buffer.from(first).toString("base64"), value });
  for (let puts = 0; puts < PUTS_MAX; puts++) {
    if ((await post(port, "/v3/kv/put", body)) !== 200) return;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`do: none of ${PUTS_MAX} puts is refused`);
}
