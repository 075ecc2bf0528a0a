// `npm run cluster`: installs, builds, and runs three members on this machine to play with, until
// Ctrl-C. On a terminal one line says who leads; the members' own words go into a file each.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { prepare, root } from "./build.mjs";

const NAMES = ["m1", "m2", "m3"];
const LOOK_MS = 500;
/** A member that hangs must not keep the terminal. */
const STOP_MS = 15_000;

const options = readOptions(process.argv.slice(2));
prepare();
const { Maintenance } = await import("../dist/src/client/maintenance.js");
const { dial } = await import("../dist/src/client/dial.js");

const clientUrl = (at) => `http://127.0.0.1:${options.port + 2 * at}`;
const peerUrl = (at) => `http://127.0.0.1:${options.port + 2 * at + 1}`;
const initialCluster = NAMES.map((name, at) => `${name}=${peerUrl(at)}`).join(",");
const isTerminal = process.stderr.isTTY === true;
let isStopping = false;

mkdirSync(options.directory, { recursive: true });
const members = NAMES.map(startMember);
const endpoints = NAMES.map((_, at) => clientUrl(at).slice("http://".length)).join(",");
console.error(`three members, data and logs in ${options.directory}; Ctrl-C stops them`);
console.error(`  bin/etcdctl --endpoints ${endpoints} endpoint status -w table`);
const timer = isTerminal ? setInterval(look, LOOK_MS) : undefined;
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, stop);

/** `--port 2379` of the first client, the others follow; `--data-dir DIRECTORY`. */
function readOptions(args) {
  const found = { port: 2379, directory: join(root, "cluster.etcd") };
  for (let at = 0; at < args.length; at += 2) {
    const [name, value] = [args[at], args[at + 1]];
    if (name === "--port" && /^\d+$/.test(value ?? "")) found.port = Number(value);
    else if (name === "--data-dir" && value !== undefined) found.directory = value;
    else {
      console.error("usage: npm run cluster -- [--port 2379] [--data-dir DIRECTORY]");
      process.exit(2);
    }
  }
  return found;
}

function startMember(name, at) {
  const logPath = join(options.directory, `${name}.log`);
  const log = openSync(logPath, "a");
  const flags = [
    ...["--name", name, "--data-dir", join(options.directory, name)],
    ...["--listen-client-urls", clientUrl(at), "--advertise-client-urls", clientUrl(at)],
    ...["--listen-peer-urls", peerUrl(at), "--initial-advertise-peer-urls", peerUrl(at)],
    ...["--initial-cluster", initialCluster, "--initial-cluster-token", "npm-run-cluster"],
  ];
  const child = spawn(process.execPath, [join(root, "bin", "etcd"), ...flags], {
    stdio: ["ignore", log, log],
    // Ctrl-C reaches all processes of a terminal: they are stopped by us, one after the other.
    detached: true,
  });
  closeSync(log);
  const member = { name, child, maintenance: undefined, role: "starting", hasEnded: false };
  member.maintenance = new Maintenance(dial({ endpoints: [clientUrl(at)] }));
  child.on("exit", (code, signal) => {
    member.hasEnded = true;
    member.role = "down";
    if (!isStopping) tellEnd(name, logPath, signal ?? `exit code ${code}`);
    if (members.every((one) => one.hasEnded)) end(isStopping ? 0 : 1);
  });
  return member;
}

function tellEnd(name, logPath, how) {
  clearLine();
  const last = readFileSync(logPath, "utf8").trimEnd().split("\n").at(-1) ?? "";
  console.error(`${name} has ended (${how}); the last line of ${logPath}:\n  ${last}`);
}

/** Who leads, as each member sees it. */
async function look() {
  await Promise.all(members.map(lookAt));
  const leader = members.find(({ role }) => role === "leader")?.name ?? "nobody";
  const shown = members.map(({ name, role, term, index }) => {
    return role === "down" || role === "starting" ? `${name} ${role}` : `${name} ${index}@${term}`;
  });
  if (isStopping) return;
  clearLine();
  process.stderr.write(`${leader} leads   ${shown.join("   ")}   (index@term)`);
}

async function lookAt(member) {
  if (member.hasEnded) return;
  try {
    const status = await member.maintenance.status({ timeoutMs: LOOK_MS });
    const isLeader = status.leader !== 0n && status.leader === status.header?.memberId;
    member.role = isLeader ? "leader" : "follower";
    member.term = status.raftTerm;
    member.index = status.raftIndex;
  } catch {
    if (member.role !== "starting") member.role = "down";
  }
}

function clearLine() {
  if (isTerminal) process.stderr.write("\r\x1b[2K");
}

function stop() {
  if (isStopping) return;
  isStopping = true;
  clearInterval(timer);
  clearLine();
  console.error("stopping …");
  for (const { child } of members) child.kill("SIGTERM");
  setTimeout(() => {
    for (const { child } of members) child.kill("SIGKILL");
  }, STOP_MS).unref();
}

function end(code) {
  process.exit(code);
}
