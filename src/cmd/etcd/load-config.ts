// From the command line to a checked configuration and a log that follows it:
//
//     flags ─▶ environment ┐
//                          ├─▶ EtcdConfig ─▶ log ─▶ checks ─▶ what is not there yet ─▶ bootstrap
//     configuration file ──┘
//
// Each step that fails tells why in etcd's words and ends the process with etcd's exit code: 2 for
// a command line that cannot be read, 1 for one that cannot be followed.

import type { Logger } from "../../base/log.ts";
import { ParseError } from "../flags/go-text.ts";
import { checkAuthToken } from "./auth-token.ts";
import { retentionNumber } from "./auto-compaction.ts";
import { ADVERTISE_CLIENT_URLS_UNSET, checkConfig } from "./check-config.ts";
import { checkListeners } from "./check-listeners.ts";
import { parseCommandLine } from "./command-line.ts";
import { buildConfig, type EtcdConfig, RAFT_TIMEOUT_MIN_MS, type Source } from "./config.ts";
import { applyConfigFile, FileUrlError } from "./config-file.ts";
import { identifyDirectory, isMemberInitialized } from "./data-directory.ts";
import { findDefaultHost } from "./default-host.ts";
import { applyEnvironment, type Environment, FatalConflict } from "./environment.ts";
import { FlagValues } from "./flag-table.ts";
import { helpText, USAGE } from "./help.ts";
import {
  type ClusterUrls,
  checkExistingCluster,
  checkNewCluster,
  type Resolve,
  resolveByDns,
} from "./initial-cluster.ts";
import { refusal } from "./later.ts";
import { createLogger, type LoggerOptions, type ProcessLogger } from "./logger.ts";
import { versionText } from "./product-version.ts";
import { parseClusterUrls, parseUrls } from "./urls.ts";

export interface Loaded {
  readonly config: EtcdConfig;
  readonly log: ProcessLogger;
  /** There is a log of this member already; then the initial cluster does not count. */
  readonly memberInitialized: boolean;
  /** Who is in a new cluster; empty for a member that is initialized. */
  readonly initialCluster: ClusterUrls;
}

/** The process as this file sees it; tests have their own. */
export interface Surroundings {
  /** The arguments behind the program. */
  readonly args: readonly string[];
  readonly environment: Environment;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** @throws ParseError for options that are wrong */
  readonly makeLogger: (options: LoggerOptions) => ProcessLogger;
  readonly resolve: Resolve;
}

/** `args` without the runtime and the program. */
export function processSurroundings(args: readonly string[]): Surroundings {
  return {
    args,
    environment: process.env,
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
    makeLogger: createLogger,
    resolve: resolveByDns,
  };
}

/** The end of the process instead of a configuration; there is nothing more to say. */
export class Exit extends Error {
  override name = "Exit";
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

const DEFAULT_LOGGER: LoggerOptions = { level: "info", format: "json", outputs: ["default"] };

/** @throws Exit */
export async function loadConfig(world: Surroundings): Promise<Loaded> {
  const values = new FlagValues();
  const rest = readCommandLine(world, values);
  const early = world.makeLogger(DEFAULT_LOGGER);
  let log = early;
  let config: EtcdConfig | undefined;
  let fault: string | undefined;
  try {
    if (rest !== undefined) throw new ParseError(`"${rest}" is not a valid flag`);
    const source = await readOptions(world.environment, values, early);
    config = buildConfig(values, source);
    log = openLog(config, values, world);
    fault = checkConfig(config, values, log);
    if (fault === undefined) tellSources(values, source, log);
  } catch (error) {
    fault = faultOf(error, world);
  }
  log.info("Running: ", { args: ["etcd", ...world.args] });
  if (fault !== undefined || config === undefined) return refuse(fault ?? "", log);
  config = withDefaultNames(config, log);
  const memberInitialized = isMemberInitialized(config);
  // First: a check may ask for what only the feature would make, as certificates.
  const refused = refusal(config, values);
  if (refused !== undefined) return refuse(refused, log);
  checkValues(config, log);
  identifyDirectory(config, log);
  const initialCluster = memberInitialized
    ? new Map()
    : await prepareCluster(config, world.resolve, log);
  return { config, log, memberInitialized, initialCluster };
}

/** The first word that is no flag, if there is one. */
function readCommandLine(world: Surroundings, values: FlagValues): string | undefined {
  const [command] = world.args;
  if (command === "gateway" || command === "grpc-proxy") {
    world.stderr(`etcd ${command} is not supported in this version: proxies come later\n`);
    throw new Exit(1);
  }
  const parsed = parseCommandLine(world.args, values);
  if (parsed.kind === "help") {
    world.stderr(USAGE);
    world.stdout(helpText());
    throw new Exit(0);
  }
  if (parsed.kind === "error") {
    world.stderr(`${parsed.message}\n${USAGE}`);
    throw new Exit(2);
  }
  if (parsed.rest.length === 0 && values.truth("version")) {
    world.stdout(versionText());
    throw new Exit(0);
  }
  return parsed.rest[0];
}

/** @throws ParseError, FileUrlError, FatalConflict */
async function readOptions(
  environment: Environment,
  values: FlagValues,
  log: Logger,
): Promise<Source> {
  const { ETCD_CONFIG_FILE: variable = "" } = environment;
  const path = values.text("config-file") || variable;
  if (path === "") {
    applyEnvironment(environment, values, log);
    for (const side of ["read", "write"]) {
      if (values.ms(`raft-${side}-timeout`) < RAFT_TIMEOUT_MIN_MS) {
        log.info(`raft-${side}-timeout increased to minimum value: 5s`);
      }
    }
    return "flags";
  }
  // Nothing of the command line counts but the path.
  values.clear();
  await applyConfigFile(path, values);
  values.set("config-file", path);
  return "file";
}

/** @throws ParseError */
function openLog(config: EtcdConfig, values: FlagValues, world: Surroundings): ProcessLogger {
  if (values.text("discovery-fallback") === "proxy") {
    throw new ParseError(
      `v2 proxy is deprecated, and --discovery-fallback can't be configured as "proxy"`,
    );
  }
  if (config.logger === "capnslog") throw new ParseError("--logger=capnslog is removed in v3.5");
  if (config.logger !== "zap") throw new ParseError(`unknown logger option "${config.logger}"`);
  return world.makeLogger({
    level: config.logLevel,
    format: config.logFormat,
    outputs: config.logOutputs.length === 0 ? ["default"] : config.logOutputs,
  });
}

function tellSources(values: FlagValues, source: Source, log: Logger): void {
  if (source === "file") {
    log.info(
      "loaded server configuration, other configuration command line flags and environment " +
        "variables will be ignored if provided",
      { path: values.text("config-file") },
    );
  }
  if (values.isSet("max-snapshots")) {
    log.warn("--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8.");
  }
  if (values.isSet("v2-deprecation")) {
    log.warn(
      "--v2-deprecation is deprecated and scheduled for removal in v3.8. " +
        "The default value is enforced, ignoring user input.",
    );
  }
}

function faultOf(error: unknown, world: Surroundings): string {
  if (error instanceof FileUrlError) {
    world.stderr(`${error.message}\n`);
    throw new Exit(1);
  }
  if (error instanceof FatalConflict) {
    world.makeLogger(DEFAULT_LOGGER).fatal(error.message, error.fields);
  }
  if (error instanceof ParseError) return error.message;
  throw error;
}

function refuse(fault: string, log: ProcessLogger): never {
  log.warn("failed to verify flags", { error: fault });
  if (fault === ADVERTISE_CLIENT_URLS_UNSET) {
    log.warn("advertise client URLs are not set", { error: fault });
  }
  log.flush();
  throw new Exit(1);
}

const DEFAULT_CLUSTER = "default=http://localhost:2380";

/** What follows from other options: the host, the cluster of one, the data directory. */
function withDefaultNames(config: EtcdConfig, log: Logger): EtcdConfig {
  let { advertisePeerUrls, advertiseClientUrls, initialCluster, dataDir } = config;
  const peer = advertisedInstead(advertisePeerUrls, config.listenPeerUrls, 2380);
  const client = advertisedInstead(advertiseClientUrls, config.listenClientUrls, 2379);
  if (peer !== undefined || client !== undefined) {
    try {
      const host = findDefaultHost();
      if (peer !== undefined) advertisePeerUrls = parseUrls([`http://${host}:${peer}`]);
      if (client !== undefined) advertiseClientUrls = parseUrls([`http://${host}:${client}`]);
      log.info("detected default host for advertise", { host });
    } catch (error) {
      log.info("failed to detect default host", { error });
    }
  }
  if (config.name !== "default" && initialCluster === DEFAULT_CLUSTER) {
    const name = config.name === "" ? "default" : config.name;
    initialCluster = advertisePeerUrls.map((url) => `${name}=${url.text}`).join(",");
  }
  if (dataDir === "") {
    dataDir = `${config.name}.etcd`;
    log.warn("'data-dir' was empty; using default", { "data-dir": dataDir });
  }
  return { ...config, advertisePeerUrls, advertiseClientUrls, initialCluster, dataDir };
}

/** The port to advertise with this machine's address; undefined: what is configured is right. */
function advertisedInstead(
  advertised: EtcdConfig["advertisePeerUrls"],
  listening: EtcdConfig["listenPeerUrls"],
  defaultPort: number,
): string | undefined {
  const isDefault =
    advertised.length === 1 && advertised[0]!.text === `http://localhost:${defaultPort}`;
  return isDefault && listening[0]?.hostname === "0.0.0.0" ? listening[0].port : undefined;
}

/** Checks that etcd leaves to the start itself, which ends with a fatal line. */
function checkValues(config: EtcdConfig, log: ProcessLogger): void {
  try {
    checkListeners(config, log);
    retentionNumber(config.autoCompactionMode, config.autoCompactionRetention);
    checkAuthToken(config.authToken);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    log.fatal("discovery failed", { error: error.message });
  }
}

/** Of flags, of DNS, or for the time being this member alone. @throws ParseError, Error */
async function namedCluster(config: EtcdConfig, log: ProcessLogger): Promise<ClusterUrls> {
  if (config.discovery !== undefined) return new Map([[config.name, config.advertisePeerUrls]]);
  if (config.discoverySrv === "") return parseClusterUrls(config.initialCluster);
  const { clusterFromDns } = await import("./discovery-srv.ts");
  return parseClusterUrls(await clusterFromDns(config, log));
}

async function prepareCluster(
  config: EtcdConfig,
  resolve: Resolve,
  log: ProcessLogger,
): Promise<ClusterUrls> {
  let cluster: ClusterUrls;
  try {
    cluster = await namedCluster(config, log);
  } catch (error) {
    const why = `error setting up initial cluster: ${(error as Error).message}`;
    return log.fatal("discovery failed", { error: why });
  }
  const fault =
    config.initialClusterState === "existing"
      ? checkExistingCluster(config, cluster)
      : await checkNewCluster(config, cluster, resolve);
  if (fault !== undefined) {
    log.error("bootstrap failed", { error: fault });
    log.fatal("discovery failed", { error: fault });
  }
  return cluster;
}
