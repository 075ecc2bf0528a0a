// Flags of every command of etcdctl. `etcdctl options` lists them, the help of a command does not.

import { type Flag, FlagSet } from "../flags/flag-set.ts";

export interface Globals {
  readonly flags: FlagSet;
  readonly endpoints: Flag<readonly string[]>;
  readonly debug: Flag<boolean>;
  readonly writeOut: Flag<string>;
  readonly hex: Flag<boolean>;
  readonly dialTimeoutNs: Flag<number>;
  readonly commandTimeoutNs: Flag<number>;
  readonly keepaliveTimeNs: Flag<number>;
  readonly keepaliveTimeoutNs: Flag<number>;
  readonly requestBytesMax: Flag<bigint>;
  readonly receiveBytesMax: Flag<bigint>;
  readonly insecureTransport: Flag<boolean>;
  readonly insecureDiscovery: Flag<boolean>;
  readonly insecureSkipTlsVerify: Flag<boolean>;
  readonly cert: Flag<string>;
  readonly key: Flag<string>;
  readonly cacert: Flag<string>;
  readonly jwtToken: Flag<string>;
  readonly user: Flag<string>;
  readonly password: Flag<string>;
  readonly discoverySrv: Flag<string>;
  readonly discoverySrvName: Flag<string>;
}

const SECOND_NS = 1e9;
const hidden = { hidden: true };

export function defineGlobals(): Globals {
  const set = new FlagSet();
  return {
    flags: set,
    endpoints: set.strings("endpoints", ["127.0.0.1:2379"], "members to connect to", hidden),
    debug: set.boolean("debug", false, "log what the client does", hidden),
    writeOut: set.string(
      "write-out",
      "simple",
      "output format: fields, json, protobuf, simple, table",
      { hidden: true, short: "w" },
    ),
    hex: set.boolean("hex", false, "print bytes and ids as hexadecimal numbers", hidden),
    dialTimeoutNs: set.durationNs(
      "dial-timeout",
      2 * SECOND_NS,
      "how long getting a connection may take",
      hidden,
    ),
    commandTimeoutNs: set.durationNs(
      "command-timeout",
      5 * SECOND_NS,
      "how long a short command may take, connecting not included",
      hidden,
    ),
    keepaliveTimeNs: set.durationNs(
      "keepalive-time",
      2 * SECOND_NS,
      "interval of pings while a call is out",
      hidden,
    ),
    keepaliveTimeoutNs: set.durationNs(
      "keepalive-timeout",
      6 * SECOND_NS,
      "how long a ping may stay unanswered",
      hidden,
    ),
    requestBytesMax: set.integer(
      "max-request-bytes",
      0n,
      "size of the largest request to send, in bytes (0: 2 MiB)",
      hidden,
    ),
    receiveBytesMax: set.integer(
      "max-recv-bytes",
      0n,
      "size of the largest answer to take, in bytes (0: no limit)",
      hidden,
    ),
    insecureTransport: set.boolean(
      "insecure-transport",
      true,
      "connect without TLS unless an endpoint or a certificate asks for it",
      hidden,
    ),
    insecureDiscovery: set.boolean(
      "insecure-discovery",
      true,
      "take SRV records that name endpoints without TLS",
      hidden,
    ),
    insecureSkipTlsVerify: set.boolean(
      "insecure-skip-tls-verify",
      false,
      "do not check the server's certificate (for tests only)",
      hidden,
    ),
    ...defineIdentity(set),
  };
}

function defineIdentity(
  set: FlagSet,
): Pick<
  Globals,
  "cert" | "key" | "cacert" | "jwtToken" | "user" | "password" | "discoverySrv" | "discoverySrvName"
> {
  return {
    cert: set.string("cert", "", "the client's certificate (file)", hidden),
    key: set.string("key", "", "the key of the client's certificate (file)", hidden),
    cacert: set.string("cacert", "", "who signs the servers' certificates (file)", hidden),
    jwtToken: set.string("auth-jwt-token", "", "JWT for authentication", hidden),
    user: set.string("user", "", "name[:password]; without a password it is asked for", hidden),
    password: set.string("password", "", "the password of --user, if not part of it", hidden),
    discoverySrv: set.string("discovery-srv", "", "domain whose SRV records name the endpoints", {
      hidden: true,
      short: "d",
    }),
    discoverySrvName: set.string(
      "discovery-srv-name",
      "",
      "service name in the SRV records",
      hidden,
    ),
  };
}
