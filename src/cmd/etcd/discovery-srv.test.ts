import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../base/log.ts";
import { clusterFromDns, type DnsQuestions } from "./discovery-srv.ts";
import { parseUrls } from "./urls.ts";

const addresses: Readonly<Record<string, string>> = {
  "a.example": "10.0.0.1",
  "b.example": "10.0.0.2",
  "c.example": "10.0.0.3",
};

/** Records by service; others are not there. */
function dns(records: Readonly<Record<string, readonly string[]>>): DnsQuestions {
  return {
    async srv(name) {
      const found = records[name];
      if (found === undefined) throw new Error(`querySrv ENOTFOUND ${name}`);
      return found.map((host) => ({ name: `${host}.`, port: 2380 }));
    },
    async address(host) {
      const address = addresses[host];
      if (address === undefined) throw new Error(`getaddrinfo ENOTFOUND ${host}`);
      return address;
    },
  };
}

function settings(url = "http://a.example:2380", discoverySrvName = "") {
  const advertisePeerUrls = parseUrls([url]);
  return { name: "m1", discoverySrv: "example", discoverySrvName, advertisePeerUrls };
}

test("the record that leads here has this member's name, the others are numbered", async () => {
  const found = await clusterFromDns(
    settings(),
    silentLogger,
    dns({ "_etcd-server._tcp.example": ["b.example", "a.example", "c.example"] }),
  );
  assert.equal(found, "0=http://b.example:2380,m1=http://a.example:2380,1=http://c.example:2380");
});

test("services with a suffix, and with TLS", async () => {
  const found = await clusterFromDns(
    settings("https://a.example:2380", "red"),
    silentLogger,
    dns({ "_etcd-server-ssl-red._tcp.example": ["a.example", "b.example"] }),
  );
  assert.equal(found, "m1=https://a.example:2380,0=https://b.example:2380");
});

test("without records, or without this member in them, there is no cluster", async () => {
  await assert.rejects(
    clusterFromDns(settings(), silentLogger, dns({})),
    /error querying DNS SRV records for _etcd-server-ssl querySrv ENOTFOUND/,
  );
  const others = dns({ "_etcd-server._tcp.example": ["b.example"] });
  await assert.rejects(
    clusterFromDns(settings(), silentLogger, others),
    /cannot find local etcd member "m1" in SRV records/,
  );
});

test("a record that says http where this member says https is not taken", async () => {
  const records = dns({ "_etcd-server._tcp.example": ["a.example", "b.example"] });
  await assert.rejects(
    clusterFromDns(settings("https://a.example:2380"), silentLogger, records),
    /cannot find local etcd member "m1"/,
  );
  const only = dns({ "_etcd-server._tcp.example": ["a.example"] });
  await assert.rejects(
    clusterFromDns(settings("https://a.example:2380"), silentLogger, only),
    /scheme mismatch with expected peer https:\/\/a\.example:2380/,
  );
});
