// URLs of members and clients, as etcd's flags take them: `http://127.0.0.1:2380`, and `unix://`
// sockets. They are kept as text, not as WHATWG URLs: member ids are hashes of the very spelling
// (`http://h:80` keeps its port), and a wrong URL has to be answered with Go's words.

import { isIPv6 } from "node:net";
import { ParseError, quote } from "../flags/go-text.ts";

export interface EtcdUrl {
  /** As given, with the scheme in lower case: what is advertised, hashed and compared. */
  readonly text: string;
  readonly scheme: "http" | "https" | "unix" | "unixs";
  /** `host:port` with the brackets of IPv6; for unix sockets what stands before the path. */
  readonly host: string;
  /** Without port and brackets. */
  readonly hostname: string;
  readonly port: string;
  readonly path: string;
}

export function isSecure(url: EtcdUrl): boolean {
  return url.scheme === "https" || url.scheme === "unixs";
}

export function isSocketFile(url: EtcdUrl): boolean {
  return url.scheme === "unix" || url.scheme === "unixs";
}

/** The URLs sorted by their text. @throws ParseError with Go's and etcd's words */
export function parseUrls(texts: readonly string[]): EtcdUrl[] {
  return texts.map((text) => parseUrl(text.trim())).sort(byText);
}

/** A comma separated list, sorted, without repetitions. @throws ParseError */
export function parseUniqueUrls(list: string): EtcdUrl[] {
  const urls = parseUrls(list.split(","));
  return urls.filter((url, at) => at === 0 || url.text !== urls[at - 1]!.text);
}

/** `name=url,name=url2,other=url3`: a name may repeat. @throws ParseError */
export function parseClusterUrls(list: string): Map<string, EtcdUrl[]> {
  const texts = new Map<string, string[]>();
  for (const pair of list.split(",")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = equals < 0 ? pair : pair.slice(0, equals);
    const urls = texts.get(name) ?? [];
    urls.push(equals < 0 ? "" : pair.slice(equals + 1));
    texts.set(name, urls);
  }
  return new Map([...texts].map(([name, urls]) => [name, parseUrls(urls)]));
}

/** The opposite of `parseClusterUrls`, sorted. */
export function showClusterUrls(cluster: ReadonlyMap<string, readonly EtcdUrl[]>): string {
  const pairs = [...cluster].flatMap(([name, urls]) => urls.map((url) => `${name}=${url.text}`));
  return pairs.sort().join(",");
}

function byText(a: EtcdUrl, b: EtcdUrl): number {
  return a.text < b.text ? -1 : a.text > b.text ? 1 : 0;
}

interface Parts {
  scheme: string;
  host: string;
  path: string;
}

function parseUrl(text: string): EtcdUrl {
  const { scheme, host, path } = split(text);
  if (scheme === "http" || scheme === "https") {
    if (splitHostPort(host) === undefined) {
      throw new ParseError(`URL address does not have the form "host:port": ${text}`);
    }
    if (path !== "") throw new ParseError(`URL must not contain a path: ${text}`);
  } else if (scheme !== "unix" && scheme !== "unixs") {
    throw new ParseError(`URL scheme must be http, https, unix, or unixs: ${text}`);
  }
  const { hostname, port } = splitHostPort(host) ?? { hostname: host, port: "" };
  return { text: scheme + text.slice(scheme.length), scheme, host, hostname, port, path };
}

/** As net.SplitHostPort; undefined where that reports an error. */
function splitHostPort(host: string): { hostname: string; port: string } | undefined {
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:[\]]*)$/.exec(host);
  if (match === null) return undefined;
  return { hostname: match[1] ?? match[2]!, port: match[3]! };
}

/** Takes a URL apart and finds the faults that Go's parser finds, in its order. */
function split(text: string): Parts {
  const fail = (why: string): never => {
    throw new ParseError(`parse ${quote(text)}: ${why}`);
  };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) fail("net/url: invalid control character in URL");
  const withoutFragment = text.split("#", 1)[0]!;
  if (withoutFragment.startsWith(":")) fail("missing protocol scheme");
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(withoutFragment)?.[1] ?? "";
  const afterScheme = scheme === "" ? withoutFragment : withoutFragment.slice(scheme.length + 1);
  const rest = afterScheme.split("?", 1)[0]!;
  if (!rest.startsWith("/")) {
    if (scheme === "" && rest.split("/", 1)[0]!.includes(":")) {
      fail("first path segment in URL cannot contain colon");
    }
    // An opaque URL such as `unix:name`: the name is the path of the socket.
    return { scheme: scheme.toLowerCase(), host: "", path: rest };
  }
  if (!rest.startsWith("//")) return { scheme: scheme.toLowerCase(), host: "", path: rest };
  const slash = rest.indexOf("/", 2);
  const authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash);
  const at = authority.lastIndexOf("@");
  const host = authority.slice(at + 1);
  checkHost(host, fail);
  if (!/^[\w\-.:~!$&'()*+,;=%@]*$/.test(authority.slice(0, Math.max(at, 0)))) {
    fail("net/url: invalid userinfo");
  }
  const path = slash < 0 ? "" : rest.slice(slash);
  const badEscape = /%(?![0-9A-Fa-f]{2}).{0,2}/s.exec(path)?.[0];
  if (badEscape !== undefined) fail(`invalid URL escape ${quote(badEscape)}`);
  return { scheme: scheme.toLowerCase(), host, path };
}

function checkHost(host: string, fail: (why: string) => never): void {
  let name = host;
  if (host.startsWith("[")) {
    const end = host.lastIndexOf("]");
    if (end < 0) fail("missing ']' in host");
    checkPort(host.slice(end + 1), fail);
    // The zone of a link-local address follows %25 and is not looked at.
    name = host.slice(1, end).replace(/%25.*$/, "");
  } else if (host.includes(":")) {
    checkPort(host.slice(host.indexOf(":")), fail);
  }
  for (const percent of name.match(/%.{0,2}/gs) ?? []) {
    if (!/^%([89A-Fa-f][0-9A-Fa-f]|25)$/.test(percent))
      fail(`invalid URL escape ${quote(percent)}`);
  }
  const wrong = /[^A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"%\u0080-\uffff]/.exec(name)?.[0];
  if (wrong !== undefined) fail(`invalid character ${quote(wrong)} in host name`);
  if (host.startsWith("[") && !isIPv6(name)) {
    fail(`invalid host: ParseAddr(${quote(name)}): unable to parse IP`);
  }
}

function checkPort(colonPort: string, fail: (why: string) => never): void {
  if (!/^(:[0-9]*)?$/.test(colonPort)) fail(`invalid port ${quote(colonPort)} after host`);
}
