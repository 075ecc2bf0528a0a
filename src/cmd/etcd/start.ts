// A configuration becomes a running member: the one place where all parts meet.
//
//   ports bound ─► Member (data directory, log, database, state) ─► peers served
//     ─► member.start ─► published, "ready to serve client requests" ─► clients served
//     ─► signal: ports closed, calls end, loop stops, database committed, signal raised again

import type { Metric } from "../../api/exposition.ts";
import { clientHttpHandler, metricsHttpHandler } from "../../api/http-endpoints.ts";
import { Api } from "../../api/method-table.ts";
import { memberMetrics } from "../../api/metrics.ts";
import type { Clock, Disk } from "../../io/io.ts";
import { NodeClock } from "../../io/node-clock.ts";
import { NodeDisk } from "../../io/node-disk.ts";
import { NodeRandom } from "../../io/node-random.ts";
import { JsonGateway } from "../../net/json-gateway.ts";
import { bindAll, type Listener } from "../../net/listener.ts";
import { PeerTransport } from "../../net/peer/transport.ts";
import { ClientServer, type ClientServerOptions } from "../../net/server.ts";
import { Member } from "../../server/member.ts";
import { idText } from "../../state/members/member-json.ts";
import type { MethodTable } from "../../wire/rpc.ts";
import type { EtcdConfig } from "./config.ts";
import { faultText, isFileFault } from "./fault-text.ts";
import { FEATURE_GATES, type FeatureGate, gateEnabled } from "./feature-gates.ts";
import { grpcMetricRows } from "./grpc-metric-rows.ts";
import { largeAnswerRows } from "./large-answer-rows.ts";
import type { Loaded } from "./load-config.ts";
import { memberOptions } from "./member-options.ts";
import { peerMetricRows } from "./peer-metric-rows.ts";
import { peerTransportOptions } from "./peer-options.ts";
import { type Prepared, prepareStart } from "./prepare-start.ts";
import { processFacts, processMetrics } from "./process-facts.ts";
import { runtimeName } from "./product-version.ts";
import { logListening, logStart } from "./start-log.ts";
import { tryRestore } from "./trial-restore.ts";
import { type EtcdUrl, isSecure } from "./urls.ts";

/** What etcd allows for the envelope of the largest request. */
const GRPC_OVERHEAD_BYTES = 512 * 1024;
/** Descriptors that connections leave for files, as etcd's reservedInternalFDNum. */
const RESERVED_DESCRIPTORS = 150;
/** Calls under way may take this long to end after a signal. */
const STOP_GRACE_MS = 1000;

export async function start(loaded: Loaded): Promise<Running> {
  logListening(loaded.config, loaded.log);
  // First: a member that cannot be reached must not leave a data directory behind.
  const ports = await bindPorts(loaded.config);
  logStart(loaded, loaded.log);
  const clock = new NodeClock();
  const disk = new NodeDisk();
  const network = new PeerTransport({
    ...(await peerTransportOptions(loaded.config, clock, loaded.log)),
    clock,
    log: loaded.log,
    listeners: ports.peer,
  });
  const prepared = await prepareStart(loaded, { network, clock, disk });
  const running = new Running(loaded, ports, { network, clock, disk, prepared });
  await running.start();
  return running;
}

/** The doors to the world, and what was learned through them. */
interface Opened {
  readonly network: PeerTransport;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly prepared: Prepared;
}

/** Addresses that are ours; who connects before the member is ready waits. */
interface Ports {
  readonly peer: readonly Listener[];
  readonly client: readonly Listener[];
  readonly clientHttp: readonly Listener[];
  readonly metrics: readonly Listener[];
}

/** @throws Error (rejects) */
async function bindPorts(config: EtcdConfig): Promise<Ports> {
  return {
    peer: await bindAll(texts(config.listenPeerUrls)),
    client: await bindAll(texts(config.listenClientUrls)),
    clientHttp: await bindAll(texts(config.listenClientHttpUrls)),
    metrics: await bindAll(texts(config.listenMetricsUrls)),
  };
}

export class Running {
  readonly #loaded: Loaded;
  readonly #ports: Ports;
  readonly #clock: Clock;
  readonly #servers: ClientServer[] = [];
  readonly #peers: PeerTransport;
  readonly #member: Member;
  #ready: (() => void) | undefined;
  #isStopping = false;

  constructor(loaded: Loaded, ports: Ports, { network, clock, disk, prepared }: Opened) {
    const { log } = loaded;
    this.#loaded = loaded;
    this.#ports = ports;
    this.#peers = network;
    this.#clock = clock;
    this.#member = new Member({
      world: { clock, disk, random: new NodeRandom(), network },
      log,
      options: memberOptions(loaded, prepared),
      tryRestore,
      onFatal: (error) => this.#die(error),
      onAnswered: () => {
        for (const server of this.#servers) server.flush();
      },
      onReady: () => this.#ready?.(),
      onRemoved: () => {
        // Nothing is wrong: whoever supervises need not start it again.
        void this.stop().then(() => process.exit(0));
      },
    });
  }

  async start(): Promise<void> {
    const { config, log } = this.#loaded;
    const member = this.#member;
    log.info("now serving peer/client/metrics", {
      "local-member-id": idText(member.id),
      "initial-advertise-peer-urls": texts(config.advertisePeerUrls),
      "listen-peer-urls": texts(config.listenPeerUrls),
      "advertise-client-urls": texts(config.advertiseClientUrls),
      "listen-client-urls": texts(config.listenClientUrls),
      "listen-metrics-urls": texts(config.listenMetricsUrls),
    });
    for (const { address } of this.#ports.peer) log.info("serving peer traffic", { address });
    await this.#checkData();
    const published = new Promise<void>((resolve) => {
      this.#ready = resolve;
    });
    member.start();
    await published;
    log.info("ready to serve client requests");
    this.#serveClients();
    log.info("grpc service status changed", { service: "", status: "SERVING" });
  }

  /** Before it takes part: is what it has the same as what the others have? */
  async #checkData(): Promise<void> {
    const { config, memberInitialized } = this.#loaded;
    if (!memberInitialized || !gateEnabled(config.featureGates, "InitialCorruptCheck")) return;
    const { corruption } = this.#member.duties;
    await new Promise<void>((resolve, reject) => {
      corruption.checkAtStart((error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  /** Orderly: what was acknowledged is on disk anyway, this makes the next start quick. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    const { config, log } = this.#loaded;
    const fields = {
      name: config.name,
      "data-dir": config.dataDir,
      "advertise-peer-urls": texts(config.advertisePeerUrls),
      "advertise-client-urls": texts(config.advertiseClientUrls),
    };
    log.info("closing etcd server", fields);
    await Promise.all(this.#servers.map((server) => server.close(STOP_GRACE_MS)));
    await new Promise<void>((resolve) => this.#member.stop(resolve));
    log.info("closed etcd server", fields);
    log.flush();
  }

  #serveClients(): void {
    const { config } = this.#loaded;
    const ports = this.#ports;
    const member = this.#member;
    const { methods, health, guard } = new Api(member, this.#loaded.log);
    const metrics: Metric[] = [...processMetrics()];
    const facts = { runtimeVersion: runtimeName(), featureGates: gatesOf(config) };
    metrics.push(...memberMetrics({ member, health, guard, facts }));
    metrics.push(...peerMetricRows(this.#peers.metrics));
    const http = clientHttpHandler({
      ...{ member, health, metrics },
      facts: processFacts(),
      hasGateway: config.enableGrpcGateway,
    });
    const limits = this.#limits();
    const gateway = config.enableGrpcGateway
      ? new JsonGateway({ clock: this.#clock, methods, limits })
      : undefined;
    const access = { cors: config.cors, hostWhitelist: config.hostWhitelist };
    const hasOwnHttp = config.listenClientHttpUrls.length > 0;
    const traffic = hasOwnHttp ? ("grpc" as const) : ("grpc+http" as const);
    const hasTimes = config.metrics === "extensive";
    const parts = { methods, http, gateway, access, traffic, hasTimes };
    const client = this.#newServer(parts, config.tls);
    metrics.push(...grpcMetricRows(client.grpcMetrics));
    metrics.push(...largeAnswerRows(client.largeAnswers));
    client.serve(ports.client);
    if (hasOwnHttp) {
      const web = { methods: new Map(), http, gateway, access, traffic: "http" as const };
      this.#newServer(web, config.tls).serve(ports.clientHttp);
    }
    if (config.listenMetricsUrls.length > 0) {
      const handler = metricsHttpHandler(health, metrics);
      const plain = this.#newServer({ methods: new Map(), http: handler }, config.tls);
      plain.serve(ports.metrics);
    }
    this.#tellTraffic(client.addresses, traffic);
  }

  #tellTraffic(addresses: readonly string[], traffic: string): void {
    const { config, log } = this.#loaded;
    config.listenClientUrls.forEach((url, at) => {
      const fields = { traffic, address: addresses[at] ?? url.host };
      if (isSecure(url)) log.info("serving client traffic securely", fields);
      else {
        log.info("serving client traffic insecurely; this is strongly discouraged!", fields);
      }
    });
  }

  #newServer(parts: ServerParts, tls?: EtcdConfig["tls"]): ClientServer {
    const { log } = this.#loaded;
    const server = new ClientServer({
      ...parts,
      clock: this.#clock,
      log,
      limits: this.#limits(),
      tls: tls === undefined || tls.certFile === "" ? undefined : tls,
    });
    this.#servers.push(server);
    return server;
  }

  #limits() {
    const { config } = this.#loaded;
    return {
      connectionsMax: Math.max(1, processFacts().fileDescriptorLimit() - RESERVED_DESCRIPTORS),
      messageBytesMax: config.maxRequestBytes + GRPC_OVERHEAD_BYTES,
      concurrentStreamsMax: config.maxConcurrentStreams,
      keepaliveMinTimeMs: config.grpcKeepaliveMinTimeMs,
      keepaliveIntervalMs: config.grpcKeepaliveIntervalMs,
      keepaliveTimeoutMs: config.grpcKeepaliveTimeoutMs,
    };
  }

  /** A failed write or a broken invariant: a wrong answer would be worse than none. */
  #die(error: Error): never {
    this.#loaded.log.fatal("the member cannot go on", {
      error: faultText(error),
      ...(isFileFault(error) ? {} : { stacktrace: error.stack }),
    });
  }
}

type ServerParts = Pick<
  ClientServerOptions,
  "http" | "gateway" | "access" | "traffic" | "hasTimes"
> & {
  readonly methods: MethodTable;
};

function texts(urls: readonly EtcdUrl[]): string[] {
  return urls.map((url) => url.text);
}

function gatesOf(config: EtcdConfig) {
  return Object.entries(FEATURE_GATES).map(([name, { stage }]) => ({
    name,
    stage,
    isEnabled: gateEnabled(config.featureGates, name as FeatureGate),
  }));
}
