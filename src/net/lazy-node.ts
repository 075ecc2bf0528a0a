// Parts of Node that cost more to load than a start can spare, loaded at their first use. By way
// of `require`, because importing a built-in module evaluates all that it exports: for node:http
// that includes the whole of fetch (70 ms on Node 26 instead of 6).

import { createRequire } from "node:module";

const load = createRequire(import.meta.url);

export function nodeHttp(): typeof import("node:http") {
  return load("node:http");
}

export function nodeHttps(): typeof import("node:https") {
  return load("node:https");
}

export function nodeTls(): typeof import("node:tls") {
  return load("node:tls");
}

export function nodeZlib(): typeof import("node:zlib") {
  return load("node:zlib");
}
