import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { dial, peerAddress } from "./dial.ts";

test("a connection comes from the address that others are to see", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const seen = new Promise<string | undefined>((resolve) => {
    server.once("connection", (socket) => {
      resolve(socket.remoteAddress);
      socket.destroy();
    });
  });
  // Any address of 127/8 is this machine.
  const options = { tls: undefined, localAddress: "127.0.0.7" };
  const socket = dial(peerAddress(`http://127.0.0.1:${port}`), options, () => {});
  assert.equal(await seen, "127.0.0.7");
  socket.destroy();
  server.close();
});
