// A member on its machine, over all its lives: started, crashed, killed, stopped, started again.
// What it does is shown to the observer; the product knows nothing of that: methods of the one
// instance are wrapped.

import { Api } from "../../../src/api/method-table.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { Entry } from "../../../src/raft/ready.ts";
import { Member } from "../../../src/server/member.ts";
import type { MemberOptions } from "../../../src/server/options.ts";
import type { MethodTable } from "../../../src/wire/rpc.ts";
import type { SimMachine } from "../world.ts";

/** Thrown where the process would end: nothing after it happens. */
export class ProcessEnd extends Error {
  override name = "ProcessEnd";
  readonly node: SimNode;
  readonly life: number;

  constructor(node: SimNode, cause: Error) {
    super(cause.message, { cause });
    this.node = node;
    this.life = node.life;
  }
}

export interface NodeObserver {
  /** Before and after a member applies an entry. */
  applying(node: SimNode, entry: Entry): void;
  applied(node: SimNode, entry: Entry): void;
  /** The data directory is open, nothing was done yet. */
  opened(node: SimNode): void;
  ready(node: SimNode): void;
  /** It was told that it is not a member any more: its process ends. */
  removed(node: SimNode): void;
  logged(node: SimNode, level: string, message: string, fields: object | undefined): void;
  /** It ends by itself; the error is thrown as well, but may be caught on its way. */
  ended(end: ProcessEnd): void;
}

export class SimNode {
  readonly number: number;
  readonly machine: SimMachine;
  readonly observer: NodeObserver;
  options: MemberOptions;
  /** Of its last life. */
  memberId: bigint | undefined;
  member: Member | undefined;
  methods: MethodTable | undefined;
  isReady = false;
  /** As after SIGTERM: it ends as soon as it can. */
  isStopping = false;
  /** Counts starts. */
  life = 0;
  /** Its disk was damaged, it was removed, or the end has come: it is not started again. */
  isLost = false;
  /** Why the last process ended by itself. */
  lastFault: Error | undefined;

  constructor(number: number, machine: SimMachine, options: MemberOptions, observer: NodeObserver) {
    this.number = number;
    this.machine = machine;
    this.options = options;
    this.observer = observer;
  }

  get isUp(): boolean {
    return this.member !== undefined;
  }

  /** @throws what the product says when the data directory cannot be used */
  start(): void {
    this.life++;
    this.isReady = false;
    const io = this.machine.start();
    try {
      const member: Member = new Member({
        world: io,
        log: this.#logger(),
        options: this.options,
        onFatal: (error) => {
          const end = new ProcessEnd(this, error);
          this.observer.ended(end);
          throw end;
        },
        onAnswered: () => {},
        onRemoved: () => this.observer.removed(this),
        onReady: () => {
          this.isReady = true;
          this.observer.ready(this);
        },
      });
      this.#observe(member);
      this.member = member;
      this.memberId = member.id;
      this.methods = new Api(member, this.#logger()).methods;
      this.observer.opened(this);
      member.start();
    } catch (error) {
      this.kill();
      throw error;
    }
  }

  /** Power is lost. */
  crash(): void {
    this.#forget();
    this.machine.crash();
  }

  kill(): void {
    this.#forget();
    this.machine.kill();
  }

  /** As after SIGTERM. */
  stop(done: () => void): void {
    const { member, life } = this;
    if (member === undefined || this.isStopping) return;
    this.isStopping = true;
    member.stop(() => {
      if (this.life !== life || this.member === undefined) return;
      this.kill();
      done();
    });
  }

  #forget(): void {
    this.member = undefined;
    this.methods = undefined;
    this.isReady = false;
    this.isStopping = false;
  }

  #observe(member: Member): void {
    const { apply } = member;
    member.apply = (entry) => {
      this.observer.applying(this, entry);
      apply.call(member, entry);
      this.observer.applied(this, entry);
    };
  }

  #logger(): Logger {
    const log = (level: string) => (message: string, fields?: object) =>
      this.observer.logged(this, level, message, fields);
    const logger: Logger = {
      debug() {},
      info: log("info"),
      warn: log("warn"),
      error: log("error"),
      named: () => logger,
    };
    return logger;
  }
}
