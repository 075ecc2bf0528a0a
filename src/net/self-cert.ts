// Makes self-signed certificates (X.509 v3, ECDSA P-256): for --auto-tls and for tests. Node can
// read certificates but not make them, so the few DER structures of RFC 5280 are written here:
//
//   Certificate = { tbs, algorithm, signature }
//   tbs = { version, serial, algorithm, issuer, validity, subject, public key, extensions }

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";

export interface SelfCertOptions {
  /** DNS names and IP addresses. */
  readonly hosts: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly organization?: string | undefined;
  readonly commonName?: string | undefined;
}

export interface PemPair {
  readonly cert: string;
  readonly key: string;
}

const Tag = {
  Boolean: 0x01,
  Integer: 0x02,
  BitString: 0x03,
  OctetString: 0x04,
  ObjectId: 0x06,
  Utf8String: 0x0c,
  GeneralizedTime: 0x18,
  Sequence: 0x30,
  Set: 0x31,
} as const;

const objectId = {
  ecdsaWithSha256: "2a8648ce3d040302",
  commonName: "550403",
  organization: "55040a",
  keyUsage: "551d0f",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  extKeyUsage: "551d25",
  serverAuth: "2b06010505070301",
  clientAuth: "2b06010505070302",
} as const;

/** digitalSignature, keyEncipherment, keyCertSign, with the count of unused bits in front. */
const KEY_USAGE = Buffer.from([0x02, 0xa4]);
const SERIAL_BYTES = 16;

export function makeSelfCert(options: SelfCertOptions): PemPair {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = sequence(oid("ecdsaWithSha256"));
  const serial = randomBytes(SERIAL_BYTES);
  // Positive, and without a leading zero that DER would not allow.
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  const name = nameOf(options);
  const body = sequence(
    der(0xa0, der(Tag.Integer, Buffer.from([2]))),
    der(Tag.Integer, serial),
    algorithm,
    name,
    sequence(time(options.notBeforeMs), time(options.notAfterMs)),
    name,
    keys.publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, extensionsOf(options.hosts)),
  );
  const signature = sign("sha256", body, keys.privateKey);
  const bits = der(Tag.BitString, Buffer.concat([Buffer.alloc(1), signature]));
  const certificate = sequence(body, algorithm, bits);
  return {
    cert: pem("CERTIFICATE", certificate),
    key: keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function nameOf({ organization, commonName }: SelfCertOptions): Buffer {
  const parts: Buffer[] = [];
  const add = (id: keyof typeof objectId, value: string | undefined): void => {
    if (value === undefined) return;
    parts.push(der(Tag.Set, sequence(oid(id), der(Tag.Utf8String, Buffer.from(value)))));
  };
  add("organization", organization);
  add("commonName", commonName);
  return sequence(...parts);
}

function extensionsOf(hosts: readonly string[]): Buffer {
  const isAuthority = der(Tag.Boolean, Buffer.from([0xff]));
  return sequence(
    extension("keyUsage", der(Tag.BitString, KEY_USAGE)),
    extension("extKeyUsage", sequence(oid("serverAuth"), oid("clientAuth"))),
    extension("basicConstraints", sequence(isAuthority)),
    extension("subjectAltName", sequence(...hosts.map(alternativeName))),
  );
}

function extension(id: keyof typeof objectId, value: Buffer): Buffer {
  return sequence(oid(id), der(Tag.OctetString, value));
}

function alternativeName(host: string): Buffer {
  if (isIPv4(host)) return der(0x87, Buffer.from(host.split(".").map(Number)));
  if (isIPv6(host)) return der(0x87, ipv6Bytes(host));
  return der(0x82, Buffer.from(host, "latin1"));
}

function ipv6Bytes(host: string): Buffer {
  const [left = "", right] = host.split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const [first, last] = [groups(left), groups(right ?? "")];
  const zeros = new Array<number>(8 - first.length - last.length).fill(0);
  return Buffer.from([...first, ...zeros, ...last].flatMap((group) => [group >>> 8, group & 0xff]));
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "");
  return der(Tag.GeneralizedTime, Buffer.from(digits));
}

function oid(id: keyof typeof objectId): Buffer {
  return der(Tag.ObjectId, Buffer.from(objectId[id], "hex"));
}

function sequence(...parts: Buffer[]): Buffer {
  return der(Tag.Sequence, Buffer.concat(parts));
}

function der(tag: number, content: Buffer): Buffer {
  const length = content.length;
  const header = [tag];
  if (length < 0x80) header.push(length);
  else if (length < 0x100) header.push(0x81, length);
  else header.push(0x82, length >>> 8, length & 0xff);
  return Buffer.concat([Buffer.from(header), content]);
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
