// A checkout as somebody gets it, on a machine with Node and npm and nothing else: the environment
// is a PATH of four programs (npm itself needs a shell, the server's locks need flock).

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { after, before, test } from "node:test";
import { findRoot } from "../tidy/source-file.ts";
import { freePorts, memberFlags, type Ports } from "./member-process.ts";

/** Installing and compiling included. */
const START_TIMEOUT_MS = 300_000;
const LEFT_OUT = ["node_modules", "dist", ".git"];

const root = realpathSync(mkdtempSync(join(tmpdir(), "quorate-fresh-")));
const checkout = join(root, "checkout");
const environment: NodeJS.ProcessEnv = { PATH: join(root, "path") };
let ports: Ports;
after(() => rmSync(root, { recursive: true, force: true }));

before(async () => {
  ports = await freePorts();
  const source = findRoot();
  cpSync(source, checkout, {
    recursive: true,
    filter: (path) => !LEFT_OUT.includes(relative(source, path)),
  });
  mkdirSync(environment["PATH"]!);
  symlinkSync(process.execPath, join(environment["PATH"]!, "node"));
  for (const name of ["npm", "sh", "flock"]) {
    const found = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" });
    assert.equal(found.status, 0, `${name} is needed`);
    symlinkSync(realpathSync(found.stdout.trim()), join(environment["PATH"]!, name));
  }
});

interface Started {
  readonly child: ChildProcess;
  said(): string;
}

/** Runs a command in the checkout until the member answers. */
async function start(command: readonly string[], env: NodeJS.ProcessEnv): Promise<Started> {
  const [program = "", ...first] = command;
  const args = [...first, ...memberFlags(join(root, "data"), ports)];
  const child = spawn(join(environment["PATH"]!, program), args, {
    cwd: checkout,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
  }
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadline && child.exitCode === null) {
    if (await isServing()) return { child, said: () => text };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill("SIGKILL");
  throw new Error(`it did not start: ${text.slice(-3000)}`);
}

async function isServing(): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${ports.client}/health`)).ok;
  } catch {
    return false;
  }
}

/** As a shell shows it: 128 and the signal that ended it. */
async function endedBy({ child }: Started, signal: "SIGTERM" | "SIGINT"): Promise<number> {
  const ended = new Promise<number>((resolve) => {
    child.once("exit", (code, by) => resolve(code ?? 128 + constants.signals[by!]));
  });
  child.kill(signal);
  return await ended;
}

test("npm start installs, builds and runs; signals reach the server", async () => {
  const first = await start(["npm", "start", "--"], { ...environment, HOME: join(root, "home") });
  assert.match(first.said(), /installing dependencies\s[\s\S]*building/);
  assert.equal(await endedBy(first, "SIGTERM"), 143);
  assert.equal(await isServing(), false);
  assert.match(first.said(), /closed etcd server/);
});

test("later starts neither install nor build, and need no registry and no home", async () => {
  const away = { npm_config_registry: "http://127.0.0.1:1/" };
  const second = await start(["npm", "start", "--"], { ...environment, ...away });
  assert.doesNotMatch(second.said(), /installing|building/);
  assert.equal(await endedBy(second, "SIGINT"), 130);
  assert.equal(await isServing(), false);
  assert.match(second.said(), /closed etcd server/);
});

test("a second signal does not cut the stop short", async () => {
  const member = await start(["node", join(checkout, "bin", "etcd")], environment);
  member.child.kill("SIGINT");
  assert.equal(await endedBy(member, "SIGINT"), 130);
  assert.match(member.said(), /closed etcd server/);
});

test("the programs run from anywhere, through links, with nothing but PATH", () => {
  const elsewhere = join(root, "elsewhere");
  mkdirSync(elsewhere);
  const link = join(elsewhere, "link");
  const programs = { etcd: "--version", etcdctl: "version", etcdutl: "version" };
  for (const [name, argument] of Object.entries(programs)) {
    const path = join(checkout, "bin", name);
    symlinkSync(relative(elsewhere, path), `${link}-${name}`);
    symlinkSync(basename(`${link}-${name}`), `${link}-to-${name}`);
    for (const program of [path, `${link}-${name}`, `${link}-to-${name}`]) {
      const options = { cwd: elsewhere, env: environment, encoding: "utf8" } as const;
      const result = spawnSync(program, [argument], options);
      assert.equal(result.status, 0, result.stderr);
      assert.match(result.stdout, new RegExp(`^${name} version: 3\\.7\\.3$`, "im"));
      assert.equal(result.stderr, "");
    }
  }
});
