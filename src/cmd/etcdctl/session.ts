// What a command works with: the console, the global flags and, once it asks for it, a client.
// Asking is what reads the environment and checks flags that only matter to clients, so that
// `version` or a wrong number of arguments never fail for a certificate that is not there.

import type { Caller, CallOptions } from "../../client/caller.ts";
import type { ClientOptions } from "../../client/dial.ts";
import { applyEnvironment, variableOf } from "../flags/environment.ts";
import type { FlagSet } from "../flags/flag-set.ts";
import type { Console, Piece } from "./console.ts";
import { Exit, ExitCode } from "./exit.ts";
import type { Globals } from "./globals.ts";
import { logLine, stderrLogger } from "./log.ts";
import { parseFormat, render, type Style, type View } from "./printers/view.ts";

/** Environment variables and flags have this in common. */
export const ENVIRONMENT_PREFIX = "ETCDCTL";

/** A client's own log lines name it so; those of clients for one endpoint are named differently. */
const CLIENT_NAME = "etcd-client";

export interface World {
  readonly console: Console;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Makes the client; tests have their own. */
  readonly open: (options: ClientOptions) => Promise<Caller>;
  readonly sleep: (ms: number) => Promise<void>;
  /** Resolves when the user (SIGINT) or the system (SIGTERM) wants the program to end. */
  readonly interrupted: () => Promise<void>;
  readonly nowMs: () => number;
}

export class Session {
  readonly world: World;
  readonly globals: Globals;
  /** All flags of the command, for `--cluster` and other flags of its group. */
  readonly flags: FlagSet;
  /** Variables that are no flags but mean something to the command. */
  readonly alsoKnown: readonly string[];
  #style: Style | undefined;
  #config: Promise<ClientOptions> | undefined;
  #callers: Caller[] = [];

  constructor(
    world: World,
    globals: Globals,
    flags: FlagSet,
    options: { alsoKnown?: readonly string[] } = {},
  ) {
    this.world = world;
    this.globals = globals;
    this.flags = flags;
    this.alsoKnown = options.alsoKnown ?? [];
  }

  get console(): Console {
    return this.world.console;
  }

  /** For calls that are expected to be short. */
  get callOptions(): CallOptions {
    return { timeoutMs: this.globals.commandTimeoutNs.value / 1e6 };
  }

  /** For calls that take as long as they take, if only the member is there. */
  get patientOptions(): CallOptions {
    return { connectTimeoutMs: this.callOptions.timeoutMs };
  }

  /** Whether a boolean flag of the command or its group is set. */
  isSet(name: string): boolean {
    return this.flags.lookup(name)?.value === true;
  }

  /** The client of all endpoints. @throws Exit */
  async caller(): Promise<Caller> {
    const config = await this.config();
    return this.openCaller(config, CLIENT_NAME);
  }

  /** A client of one endpoint. @throws Exit */
  async callerOf(endpoint: string): Promise<Caller> {
    const config = await this.config();
    return this.openCaller({ ...config, endpoints: [endpoint] }, CLIENT_NAME);
  }

  /** The configuration that flags and environment make. @throws Exit */
  config(): Promise<ClientOptions> {
    this.#config ??= this.#configure();
    return this.#config;
  }

  async openCaller(config: ClientOptions, name: string): Promise<Caller> {
    const caller = "client/caller.ts";
    const log = stderrLogger((text) => this.console.err(text), { name, caller });
    try {
      const opened = await this.world.open({ ...config, log });
      this.#callers.push(opened);
      await opened.authenticate();
      return opened;
    } catch (error) {
      const { errorText } = await import("../../client/errors.ts");
      throw new Exit(ExitCode.BadConnection, errorText(error));
    }
  }

  close(): void {
    for (const caller of this.#callers) caller.close();
    this.#callers = [];
  }

  /** How results are shown. @throws Exit */
  style(): Style {
    if (this.#style === undefined) {
      this.#readEnvironment();
      const format = parseFormat(this.globals.writeOut.value);
      this.#style = { format, hex: this.globals.hex.value };
    }
    return this.#style;
  }

  /** Prints a result. @throws Exit when it cannot be shown in the format asked for */
  show(view: View): void {
    this.print(...render(view, this.style()));
  }

  print(...pieces: Piece[]): void {
    if (pieces.length > 0) this.console.out(...pieces);
  }

  async #configure(): Promise<ClientOptions> {
    this.style();
    const { clientOptions } = await import("./client-options.ts");
    return clientOptions(this);
  }

  #readEnvironment(): void {
    const { flags } = this.globals;
    const report = applyEnvironment(
      ENVIRONMENT_PREFIX,
      flags,
      this.world.environment,
      this.alsoKnown,
    );
    const caller = "flags/environment.ts";
    for (const name of report.conflicts) {
      const message =
        "conflicting environment variable is shadowed by corresponding command-line flag " +
        "(either unset environment variable or disable flag))";
      const fields = { "environment-variable": name };
      this.console.err(logLine("fatal", "", caller, message, fields));
      throw new Exit(ExitCode.Error);
    }
    for (const variable of report.unknown) {
      const message = "unrecognized environment variable";
      const fields = { "environment-variable": variable };
      this.console.err(logLine("warn", "", caller, message, fields));
    }
    if (!this.globals.debug.value) return;
    for (const flag of flags.sorted()) {
      this.console.err(`${variableOf(ENVIRONMENT_PREFIX, flag.name)}=${flag.text()}\n`);
    }
  }
}
