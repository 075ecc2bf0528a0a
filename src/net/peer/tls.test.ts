// Members with certificates: who is believed, and what is said of the others.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { silentLogger } from "../../base/log.ts";
import { NodeClock } from "../../io/node-clock.ts";
import { type Message, MessageType, newMessage } from "../../wire/messages/raft.ts";
import { revokedSerials } from "../revocation-list.ts";
import { makeSelfCert } from "../self-cert.ts";
import { selfCertFiles } from "../self-cert-files.ts";
import { PeerTls } from "./peer-tls.ts";
import type { PeerTlsOptions } from "./peer-tls-options.ts";
import { introduce, type Node, portOf, RecordingLog, startNode } from "./testing/transports.ts";

const A = 0xan;
const B = 0xbn;
const DAY_MS = 24 * 3600 * 1000;

const directory = mkdtempSync(join(tmpdir(), "peer-tls-"));
let fileCount = 0;
const nodes: Node[] = [];
after(() => {
  for (const { transport } of nodes) transport.close();
});

interface Identity {
  readonly certFile: string;
  readonly keyFile: string;
}

function identity(options: { hosts?: string[]; commonName?: string; isOver?: boolean }): Identity {
  const pair = makeSelfCert({
    hosts: options.hosts ?? ["127.0.0.1"],
    commonName: options.commonName ?? `member ${fileCount}`,
    notBeforeMs: Date.now() - 10 * DAY_MS,
    notAfterMs: Date.now() + (options.isOver === true ? -DAY_MS : DAY_MS),
  });
  const base = join(directory, String(fileCount++));
  writeFileSync(`${base}.crt`, pair.cert);
  writeFileSync(`${base}.key`, pair.key);
  return { certFile: `${base}.crt`, keyFile: `${base}.key` };
}

function bundle(...identities: Identity[]): string {
  const path = join(directory, `${fileCount++}.ca`);
  const certs = identities.map(({ certFile }) => new X509Certificate(read(certFile)).toString());
  writeFileSync(path, certs.join(""));
  return path;
}

function read(path: string): Buffer {
  return process.getBuiltinModule("node:fs").readFileSync(path);
}

function options(own: Identity, changes: Partial<PeerTlsOptions> = {}): PeerTlsOptions {
  return {
    ...own,
    clientCertFile: "",
    clientKeyFile: "",
    trustedCaFile: "",
    clientCertAuth: false,
    crlFile: "",
    allowedCns: [],
    allowedHostnames: [],
    skipClientSanVerification: false,
    isSelfMade: false,
    minVersion: "TLS1.2",
    maxVersion: "",
    cipherSuites: [],
    ...changes,
  };
}

async function start(id: bigint, tls: PeerTlsOptions, log = new RecordingLog()): Promise<Node> {
  const node = await startNode(id, { tls, log });
  nodes.push(node);
  return node;
}

/** Two members that know each other; the log is B's. */
async function pair(a: PeerTlsOptions, b: PeerTlsOptions): Promise<[Node, Node, RecordingLog]> {
  const log = new RecordingLog();
  const found: [Node, Node] = [await start(A, a), await start(B, b, log)];
  introduce(...found);
  return [...found, log];
}

function message(from: Node, to: Node): Message {
  return { ...newMessage(), type: MessageType.MsgHeartbeat, from: from.id, to: to.id, term: 1 };
}

async function assertTalk(a: Node, b: Node): Promise<void> {
  // By POST or by stream, whichever stands.
  a.transport.send([message(a, b)]);
  b.transport.send([message(b, a)]);
  await a.handlers.until(() => a.handlers.messages.length > 0);
  await b.handlers.until(() => b.handlers.messages.length > 0);
}

async function rejection(log: RecordingLog): Promise<Record<string, unknown>> {
  await log.until("rejected connection on peer endpoint");
  return log.lines.find((line) => line.message.startsWith("rejected"))!.fields;
}

test("members whose certificates are of the same authorities talk", async () => {
  const [one, two] = [identity({}), identity({})];
  const trustedCaFile = bundle(one, two);
  const clientCertAuth = true;
  const [a, b] = await pair(
    options(one, { trustedCaFile, clientCertAuth }),
    options(two, { trustedCaFile, clientCertAuth }),
  );
  await assertTalk(a, b);
});

test("certificates that members made themselves: encrypted, not checked", async () => {
  const made = (name: string): PeerTlsOptions => {
    const hosts = ["127.0.0.1:2380"];
    const parts = { directory: join(directory, name), hosts, validityYears: 1 };
    const files = selfCertFiles({ ...parts, clock: new NodeClock(), log: silentLogger });
    return options(files, { isSelfMade: true });
  };
  const [a, b] = await pair(made("one"), made("two"));
  await assertTalk(a, b);
  // A later start has the same.
  const again = made("one");
  assert.deepEqual(read(again.certFile), read(join(directory, "one", "cert.pem")));
});

test("a client certificate of its own for connections to others", async () => {
  const [one, two] = [identity({}), identity({})];
  const client = identity({ commonName: "client" });
  const trustedCaFile = bundle(one, two, client);
  const both = { trustedCaFile, clientCertAuth: true };
  const own = { clientCertFile: client.certFile, clientKeyFile: client.keyFile };
  const [a, b] = await pair(options(one, { ...both, ...own }), options(two, both));
  await assertTalk(a, b);
});

test("who shows no certificate is refused, in Go's words", async () => {
  const [one, two] = [identity({}), identity({})];
  const trustedCaFile = bundle(one, two);
  const b = new RecordingLog();
  const target = await start(B, options(two, { trustedCaFile, clientCertAuth: true }), b);
  const { connect } = await import("node:tls");
  const socket = connect({ port: portOf(target), host: "127.0.0.1", rejectUnauthorized: false });
  socket.on("error", () => {});
  const { error } = await rejection(b);
  assert.equal(error, "tls: client didn't provide a certificate");
});

test("a certificate of an authority that is not trusted is refused", async () => {
  const [one, two] = [identity({}), identity({})];
  const [a, b, log] = await pair(
    options(one, { trustedCaFile: bundle(one, two), clientCertAuth: true }),
    options(two, { trustedCaFile: bundle(two), clientCertAuth: true }),
  );
  const { error } = await rejection(log);
  const text = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
  assert.equal(error, text);
  assert.deepEqual([a.handlers.messages, b.handlers.messages], [[], []]);
});

test("a certificate that is over is refused", async () => {
  const [one, two] = [identity({ isOver: true }), identity({})];
  const both = { trustedCaFile: bundle(one, two), clientCertAuth: true };
  const [, , log] = await pair(options(one, both), options(two, both));
  const { error } = await rejection(log);
  assert.match(String(error), /x509: certificate has expired or is not yet valid$/);
});

test("a server's certificate for another host is refused", async () => {
  const [one, two] = [identity({}), identity({ hosts: ["127.0.0.9"] })];
  const trustedCaFile = bundle(one, two);
  const a = await start(A, options(one, { trustedCaFile }));
  const b = await start(B, options(two, { trustedCaFile }));
  const answer = await new Promise((resolve) =>
    a.transport.ask(b.url, { method: "GET", path: "/version" }, resolve),
  );
  assert.equal(
    (answer as Error).message,
    "tls: failed to verify certificate: x509: certificate is valid for 127.0.0.9, not 127.0.0.1",
  );
});

test("a client's certificate for another address is refused, unless that is not looked at", async () => {
  const [one, two] = [identity({}), identity({})];
  const away = identity({ hosts: ["10.1.2.3"] });
  const both = { trustedCaFile: bundle(one, two, away), clientCertAuth: true };
  const client = { clientCertFile: away.certFile, clientKeyFile: away.keyFile };
  const [, , log] = await pair(options(one, { ...both, ...client }), options(two, both));
  const fields = await rejection(log);
  assert.deepEqual(fields["ip-addresses"], ["10.1.2.3"]);
  assert.match(String(fields["error"]), /certificate is valid for 10\.1\.2\.3, not 127\.0\.0\.1$/);
  const lax = { ...both, skipClientSanVerification: true };
  const [a, b] = await pair(options(one, { ...lax, ...client }), options(two, lax));
  await assertTalk(a, b);
});

test("only common names and host names that are allowed", async () => {
  const [one, two] = [identity({ commonName: "m1" }), identity({ commonName: "m2" })];
  const both = { trustedCaFile: bundle(one, two), clientCertAuth: true };
  const allowedCns = ["m1", "m2"];
  const [a, b] = await pair(
    options(one, { ...both, allowedCns }),
    options(two, { ...both, allowedHostnames: ["x", "127.0.0.1"] }),
  );
  await assertTalk(a, b);
  const [, , log] = await pair(options(one, both), options(two, { ...both, allowedCns: ["m2"] }));
  const { error } = await rejection(log);
  assert.equal(error, "client certificate authentication failed");
});

test("a revoked certificate is refused from the moment the file says so", async () => {
  const [one, two] = [identity({}), identity({})];
  const crlFile = join(directory, "revoked.crl");
  writeFileSync(crlFile, revocationList([]));
  const both = { trustedCaFile: bundle(one, two), clientCertAuth: true };
  const [a, b, log] = await pair(options(one, both), options(two, { ...both, crlFile }));
  await assertTalk(a, b);
  const { serialNumber } = new X509Certificate(read(one.certFile));
  writeFileSync(crlFile, revocationList([serialNumber]));
  a.transport.removePeer(B);
  a.transport.addPeer(B, [b.url]);
  const { error } = await rejection(log);
  assert.equal(error, `transport: certificate serial ${serialNumber.toLowerCase()} revoked`);
});

test("settings that contradict each other, with etcd's texts", () => {
  const one = identity({});
  const made = (changes: Partial<PeerTlsOptions>) => () =>
    new PeerTls(options(one, changes), silentLogger);
  assert.throws(made({ keyFile: "" }), /KeyFile and CertFile must both be present\[key: , cert: /);
  assert.throws(
    made({ clientCertFile: "x" }),
    /must both be present or both absent: key: , cert: x/,
  );
  assert.throws(
    made({ allowedCns: ["a", "b"], allowedHostnames: ["c"] }),
    /mutually exclusive \(cns=\["a" "b"\], hostnames=\["c"\]\)/,
  );
});

test("a revocation list that openssl made", () => {
  const made = Buffer.from(OPENSSL_CRL, "base64");
  assert.deepEqual([...revokedSerials(made)], ["1001", "abcdef0123456789"]);
  assert.throws(() => revokedSerials(Buffer.from("nothing")), /malformed crl/);
  assert.throws(() => revokedSerials(made.subarray(0, 40)), /malformed crl/);
});

function der(tag: number, ...contents: Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  assert.ok(content.length < 128);
  return Buffer.concat([Buffer.from([tag, content.length]), content]);
}

function revocationList(serials: readonly string[]): Buffer {
  const time = der(0x17, Buffer.from("260101000000Z"));
  const entries = serials.map((serial) => der(0x30, der(2, Buffer.from(serial, "hex")), time));
  const revoked = entries.length === 0 ? [] : [der(0x30, ...entries)];
  const body = der(0x30, der(2, Buffer.from([1])), der(0x30), der(0x30), time, ...revoked);
  return der(0x30, body, der(0x30), der(3, Buffer.from([0])));
}

const OPENSSL_CRL =
  "MIHYMIGAAgEBMAoGCCqGSM49BAMCMA0xCzAJBgNVBAMMAmNhFw0yNjExMjExNDMzMThaFw0yNjEyMjExNDMzMTha" +
  "MDEwEwICEAEXDTI2MDEwMTAwMDAwMFowGgIJAKvN7wEjRWeJFw0yNjAxMDEwMDAwMDBaoA8wDTALBgNVHRQEBAIC" +
  "EAAwCgYIKoZIzj0EAwIDRwAwRAIgXKT8QZc5kD0QoxBODq3hNqd4MTJwC/NGPwTCSS63T+cCIF9a4xgJSGrno48k" +
  "GDevDSXqKU5jWSbz2nHc6LChT4Bo";
