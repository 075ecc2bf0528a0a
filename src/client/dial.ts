// Makes a Caller of what a user configures: endpoints, TLS, name and password.

import type { Logger } from "../base/log.ts";
import type { Clock, Random } from "../io/io.ts";
import { NodeClock } from "../io/node-clock.ts";
import { NodeRandom } from "../io/node-random.ts";
import { Channel, type ChannelTls, type Connection } from "../net/grpc-client.ts";
import { Caller } from "./caller.ts";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";

export interface ClientOptions {
  /** `host:port`, `http://…`, `https://…`, `unix://…`; any member of the cluster will do. */
  readonly endpoints: readonly string[];
  /** TLS for endpoints that do not say `http`. */
  readonly tls?: ChannelTls | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** A token instead of name and password, such as a JWT. */
  readonly token?: string | undefined;
  /** How long getting a token may take. Default: 2 s. */
  readonly dialTimeoutMs?: number | undefined;
  readonly keepaliveTimeMs?: number | undefined;
  readonly keepaliveTimeoutMs?: number | undefined;
  /** Larger requests are refused before they are sent. Default: 2 MiB. */
  readonly sendBytesMax?: number | undefined;
  /** Larger answers fail the call. Default: 2 GiB - 1. */
  readonly receiveBytesMax?: number | undefined;
  readonly log?: Logger | undefined;
  /** What happens to the connections, one sentence each. */
  readonly trace?: ((event: string) => void) | undefined;
  /** For tests: time, chance and connections of their own. */
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly connect?: ((endpoint: Endpoint) => Connection) | undefined;
}

/** Servers take 1.5 MiB by default: what is larger than this would be refused anyway. */
const SEND_BYTES_MAX = 2 << 20;
const RECEIVE_BYTES_MAX = 2 ** 31 - 1;
const KEEPALIVE_TIME_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 6_000;
const DIAL_TIMEOUT_MS = 2_000;

const USER_AGENT = "quorate";

function connectTo(endpoint: Endpoint, options: ClientOptions): Connection {
  if (options.connect !== undefined) return options.connect(endpoint);
  const tls =
    endpoint.tls === "never"
      ? undefined
      : (options.tls ?? (endpoint.tls === "always" ? {} : undefined));
  return new Channel({
    address: endpoint.address,
    authority: endpoint.authority,
    tls,
    keepaliveTimeMs: options.keepaliveTimeMs ?? KEEPALIVE_TIME_MS,
    keepaliveTimeoutMs: options.keepaliveTimeoutMs ?? KEEPALIVE_TIMEOUT_MS,
    sendBytesMax: options.sendBytesMax ?? SEND_BYTES_MAX,
    receiveBytesMax: options.receiveBytesMax ?? RECEIVE_BYTES_MAX,
    userAgent: USER_AGENT,
    trace: options.trace,
  });
}

async function tokenOf(caller: Caller, options: ClientOptions): Promise<string> {
  // Few clients need this module.
  const { Auth } = await import("./auth.ts");
  const timeoutMs = options.dialTimeoutMs ?? DIAL_TIMEOUT_MS;
  const answer = await new Auth(caller).authenticate(
    { name: options.username ?? "", password: options.password ?? "" },
    // Zero is "no limit" for a dial.
    timeoutMs > 0 ? { timeoutMs } : {},
  );
  return answer.token;
}

/** @throws RpcError when there are no endpoints */
export function dial(options: ClientOptions): Caller {
  // A name without a password is no identity: etcd's clients call without one then.
  const hasUser = (options.username ?? "") !== "" && (options.password ?? "") !== "";
  return new Caller({
    endpoints: options.endpoints,
    connections: options.endpoints.map((text) => connectTo(parseEndpoint(text), options)),
    clock: options.clock ?? new NodeClock(),
    random: options.random ?? new NodeRandom(),
    log: options.log,
    token: options.token,
    authenticate:
      hasUser && options.token === undefined ? (caller) => tokenOf(caller, options) : undefined,
  });
}
