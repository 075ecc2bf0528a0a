// The options of TLS, of clients and between members, and of browsers' requests.

import { type Flag, flag, list, origins, sortedText, text, truth, uint } from "./flag.ts";

const BY_CLIENT_CERT = "certificates of clients come later";
const BY_AUTO_TLS = "certificates made at start come later; give --cert-file and --key-file";

export const SECURITY_FLAGS: readonly Flag[] = [
  flag("cert-file", text, "", "Certificate shown to clients (PEM)."),
  flag("key-file", text, "", "Key of that certificate (PEM)."),
  flag("client-cert-auth", truth, false, "Clients have to show a certificate.", BY_CLIENT_CERT),
  flag(
    "client-cert-file",
    text,
    "",
    "Certificate for connections to itself, if it has to show one.",
    BY_CLIENT_CERT,
  ),
  flag("client-key-file", text, "", "Key of that certificate.", BY_CLIENT_CERT),
  flag("client-crl-file", text, "", "Certificates of clients that were revoked.", BY_CLIENT_CERT),
  flag(
    "client-cert-allowed-hostname",
    list,
    [],
    "Names of which a client's certificate must have one.",
    BY_CLIENT_CERT,
  ),
  flag(
    "trusted-ca-file",
    text,
    "",
    "Authorities whose certificates clients may show.",
    BY_CLIENT_CERT,
  ),
  flag("auto-tls", truth, false, "Make a certificate for clients.", BY_AUTO_TLS),
  flag("peer-cert-file", text, "", "Certificate shown to other members (PEM)."),
  flag("peer-key-file", text, "", "Key of that certificate (PEM)."),
  flag("peer-client-cert-auth", truth, false, "Other members have to show a certificate."),
  flag("peer-client-cert-file", text, "", "Certificate for connections to other members."),
  flag("peer-client-key-file", text, "", "Key of that certificate."),
  flag("peer-trusted-ca-file", text, "", "Authorities whose certificates other members may show."),
  flag(
    "peer-cert-allowed-cn",
    list,
    [],
    "Common names of which a member's certificate must have one.",
  ),
  flag(
    "peer-cert-allowed-hostname",
    list,
    [],
    "Names of which a member's certificate must have one.",
  ),
  flag("peer-auto-tls", truth, false, "Make a certificate for other members."),
  flag("self-signed-cert-validity", uint, 1, "Years that made certificates are valid."),
  flag("peer-crl-file", text, "", "Certificates of members that were revoked."),
  flag(
    "peer-skip-client-san-verification",
    truth,
    false,
    "Do not compare a member's address with its certificate.",
  ),
  flag("cipher-suites", list, [], "Cipher suites of TLS 1.2 that may be used, by Go's names."),
  flag("tls-min-version", text, "TLS1.2", "TLS1.2 or TLS1.3."),
  flag("tls-max-version", text, "", "TLS1.2 or TLS1.3; '' is the newest."),
  flag("cors", origins, ["*"], "Origins that browsers may call from; * is any."),
  flag(
    "host-whitelist",
    sortedText,
    ["*"],
    "Host names that HTTP requests without TLS may ask for; * is any.",
  ),
];
