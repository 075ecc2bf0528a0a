// The options of a client as the global flags give them: endpoints, TLS files, who is asking.

import { readFileSync } from "node:fs";
import { fileErrorText } from "../../base/file-error.ts";
import type { ClientOptions } from "../../client/dial.ts";
import type { ChannelTls } from "../../net/grpc-client.ts";
import type { Flag } from "../flags/flag-set.ts";
import type { Console } from "./console.ts";
import { badArguments, Exit, ExitCode } from "./exit.ts";
import type { Session } from "./session.ts";

const NS_PER_MS = 1e6;

/** @throws Exit */
export async function clientOptions(session: Session): Promise<ClientOptions> {
  const { globals } = session;
  const endpoints =
    globals.discoverySrv.value === ""
      ? globals.endpoints.value
      : await discover(session, globals.discoverySrv.value);
  const serverName = globals.discoverySrv.value;
  const tls = await tlsOptions({
    ...globals,
    skipVerify: globals.insecureSkipTlsVerify.value,
    // Certificates of discovered members are made for the domain.
    serverName: serverName === "" ? undefined : serverName,
  });
  const identity = await userAndPassword(session.console, globals, "Password: ");
  const { requestBytesMax, receiveBytesMax } = globals;
  return {
    endpoints,
    tls,
    ...identity,
    token: globals.jwtToken.value === "" ? undefined : globals.jwtToken.value,
    dialTimeoutMs: globals.dialTimeoutNs.value / NS_PER_MS,
    keepaliveTimeMs: globals.keepaliveTimeNs.value / NS_PER_MS,
    keepaliveTimeoutMs: globals.keepaliveTimeoutNs.value / NS_PER_MS,
    sendBytesMax: requestBytesMax.value > 0n ? Number(requestBytesMax.value) : undefined,
    receiveBytesMax: receiveBytesMax.value > 0n ? Number(receiveBytesMax.value) : undefined,
    trace: globals.debug.value ? traceTo(session) : undefined,
  };
}

async function discover(session: Session, domain: string): Promise<readonly string[]> {
  const { discoverEndpoints } = await import("./discovery.ts");
  const found = await discoverEndpoints(domain, session.globals.discoverySrvName.value);
  if (session.globals.insecureDiscovery.value) return found;
  return found.filter((endpoint) => {
    const isSecure = endpoint.startsWith("https:");
    if (!isSecure) session.console.err(`ignoring discovered insecure endpoint "${endpoint}"\n`);
    return isSecure;
  });
}

/** `2026/01/31 13:01:02 INFO: …`, as Go's logger writes it. */
function traceTo(session: Session): (event: string) => void {
  return (event) => {
    const time = new Date().toISOString().slice(0, 19).replaceAll("-", "/").replace("T", " ");
    session.console.err(`${time} INFO: [channel] ${event}\n`);
  };
}

function fileFlag(flag: Flag<string>): string {
  if (flag.changed && flag.value === "") {
    throw badArguments(`empty string is passed to --${flag.name} option`);
  }
  return flag.value;
}

function readPem(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw badArguments(fileErrorText("open", path, error));
  }
}

export interface TlsFlags {
  readonly cert: Flag<string>;
  readonly key: Flag<string>;
  readonly cacert: Flag<string>;
  readonly insecureTransport: Flag<boolean>;
  readonly skipVerify: boolean;
  readonly serverName: string | undefined;
}

/** Undefined: plain connections, unless an endpoint says https. @throws Exit */
export async function tlsOptions(flags: TlsFlags): Promise<ChannelTls | undefined> {
  const cert = fileFlag(flags.cert);
  const key = fileFlag(flags.key);
  const cacert = fileFlag(flags.cacert);
  const { skipVerify, serverName } = flags;
  if ((cert === "") !== (key === "")) {
    throw badArguments(`KeyFile and CertFile must both be present[key: ${key}, cert: ${cert}]`);
  }
  const isWanted = cert !== "" || cacert !== "" || skipVerify || !flags.insecureTransport.value;
  if (!isWanted) return undefined;
  const tls: ChannelTls = {
    certificate: cert === "" ? undefined : readPem(cert),
    key: key === "" ? undefined : readPem(key),
    authorities: cacert === "" ? undefined : readPem(cacert),
    skipVerify,
    serverName,
  };
  await checkPem(tls);
  return tls;
}

async function checkPem(tls: ChannelTls): Promise<void> {
  const { createSecureContext } = await import("node:tls");
  const { certificate, key, authorities } = tls;
  try {
    createSecureContext({
      ...(certificate === undefined ? {} : { cert: Buffer.from(certificate) }),
      ...(key === undefined ? {} : { key: Buffer.from(key) }),
      ...(authorities === undefined ? {} : { ca: Buffer.from(authorities) }),
    });
  } catch (error) {
    throw badArguments(`tls: ${(error as Error).message}`);
  }
}

/** Asks for the password of a name that comes without. @throws Exit */
export async function userAndPassword(
  console: Console,
  flags: { readonly user: Flag<string>; readonly password: Flag<string> },
  prompt: string,
): Promise<Pick<ClientOptions, "username" | "password">> {
  const user = flags.user.value;
  const password = flags.password.value;
  if (user === "") return {};
  if (password !== "") return { username: user, password };
  const colon = user.indexOf(":");
  if (colon >= 0) return { username: user.slice(0, colon), password: user.slice(colon + 1) };
  const { askPassword } = await import("./ask-password.ts");
  const typed = await askPassword(console, prompt);
  if (typed === "") throw new Exit(ExitCode.Error, "empty password");
  return { username: user, password: typed };
}
