import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../base/log.ts";
import { parseGates } from "./feature-gates.ts";
import { localAddress } from "./peer-options.ts";
import { parseUrls } from "./urls.ts";

const address = (gates: string, ...urls: string[]) =>
  localAddress(
    { featureGates: parseGates(gates), advertisePeerUrls: parseUrls(urls) },
    silentLogger,
  );

test("connections to others come from the first advertised address that is one", () => {
  const on = "SetMemberLocalAddr=true";
  assert.equal(address("", "http://10.0.0.1:2380"), undefined);
  assert.equal(address(on, "http://10.0.0.1:2380"), "10.0.0.1");
  assert.equal(address(on, "http://127.0.0.1:1", "http://[fd00::1]:2380"), "fd00::1");
  const none = ["http://name:1", "http://127.0.0.1:1", "http://[::1]:1", "http://0.0.0.0:1"];
  assert.equal(address(on, ...none), undefined);
});
