// The address others reach this machine by, for a member that listens on all addresses and was not
// told what to advertise: that of the interface with the default route. Linux only, as in etcd.

import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

/** @throws Error when there is no default route */
export function findDefaultHost(): string {
  const name = defaultInterface(readFileSync("/proc/net/route", "utf8"));
  const addresses = networkInterfaces()[name ?? ""] ?? [];
  const found = addresses.find((address) => address.family === "IPv4" && !address.internal);
  if (found === undefined) throw new Error("could not find default route");
  return found.address;
}

/** The first interface whose destination is everything, in the kernel's table of routes. */
export function defaultInterface(table: string): string | undefined {
  const rows = table
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t"));
  return rows.find((row) => row[1] === "00000000" && row[7] === "00000000")?.[0];
}
