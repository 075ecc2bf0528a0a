// Certificates that were revoked: the serial numbers of a CRL (RFC 5280, 5.1) in DER. As etcd does,
// nothing else of it is looked at: neither who signed it nor when it ends.
//
//   CertificateList = { tbs = { version?, algorithm, issuer, this update, next update?,
//                               { { serial number, … } … }?, extensions? }, … }

const Tag = { Integer: 0x02, UtcTime: 0x17, GeneralizedTime: 0x18, Sequence: 0x30 } as const;

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/**
 * Serial numbers in hex, without leading zeros.
 * @throws Error for what is no revocation list
 */
export function revokedSerials(der: Uint8Array): ReadonlySet<string> {
  const [list] = elements(der);
  const [body] = elements(sequence(list));
  const parts = elements(sequence(body));
  let at = 0;
  if (parts[at]?.tag === Tag.Integer) at++;
  // Algorithm and issuer.
  at += 2;
  while (parts[at]?.tag === Tag.UtcTime || parts[at]?.tag === Tag.GeneralizedTime) at++;
  const serials = new Set<string>();
  const revoked = parts[at];
  if (revoked?.tag !== Tag.Sequence) return serials;
  for (const entry of elements(revoked.content)) {
    const [serial] = elements(sequence(entry));
    if (serial?.tag !== Tag.Integer) throw malformed();
    serials.add(serialText(Buffer.from(serial.content).toString("hex")));
  }
  return serials;
}

export function serialText(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, "");
}

function sequence(element: Element | undefined): Uint8Array {
  if (element?.tag !== Tag.Sequence) throw malformed();
  return element.content;
}

function elements(bytes: Uint8Array): Element[] {
  const found: Element[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at++]!;
    let length = bytes[at++];
    if (length === undefined || length === 0x80 || length > 0x84) throw malformed();
    if (length > 0x80) {
      const count = length - 0x80;
      length = 0;
      for (let i = 0; i < count; i++) length = length * 256 + (bytes[at++] ?? 0);
    }
    if (at + length > bytes.length) throw malformed();
    found.push({ tag, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return found;
}

function malformed(): Error {
  return new Error("x509: malformed crl");
}
