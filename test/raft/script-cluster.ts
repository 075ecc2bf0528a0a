// A few members, a network that delivers when told, and disks that keep what was persisted: what
// the text scripts of src/raft/testdata act on. Members persist, send and apply at once.
//
//   start 1 2 3 [voters=1,2] [learners=3] [log=1,1,2] [commit=2] [term=2] [option=…]
//   add 4 …                                 as start, but keeps the others
//   bootstrap 1 2 3                         begin a cluster of these, each with the first entries
//   campaign 1 | tick 1 [ticks] | propose 1 a b | read 1 id | transfer 1 to
//   change 1 +4 ~5 -6 [joint=auto|implicit|explicit]
//   run [members…] [quiet]                  Readies and deliveries until nothing happens
//   ready 1 | take 1 | advance 1            one Ready; or its two halves
//   deliver [to=] [from=] [type=] | drop …  what is on its way, oldest first
//   cut 1 2 | isolate 1 | heal              messages between them are lost
//   step 1 App from=2 term=2 …              a message out of the blue
//   snapshot 1 | compact 1 index | report 1 2 unreachable|refused|arrived|failed
//   hold 1 on|off | tell 1                  commit indexes may wait for entries; not any longer
//   restart 1 | random 1 ticks | status 1 | log 1 | state 1

import type { Fields, Logger } from "../../src/base/log.ts";
import { Raft, type Restored } from "../../src/raft/raft.ts";
import { type Entry, EntryType, type HardState, type Ready } from "../../src/raft/ready.ts";
import {
  type ConfChange,
  type ConfChangeV2,
  type ConfState,
  decodeConfChange,
  decodeConfChangeV2,
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageType,
  newMessage,
} from "../../src/wire/messages/raft.ts";
import { type Command, parseCommand } from "../script/script.ts";
import {
  bytesText,
  confStateText,
  entryText,
  messageText,
  readyLines,
  statusLines,
  typeName,
  typeNumber,
} from "./format.ts";

interface Snapshot {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
  readonly state: readonly string[];
}

interface Member {
  readonly id: bigint;
  readonly settings: ReadonlyMap<string, string>;
  raft: Raft;
  random: number;
  hardState: HardState;
  /** On disk: everything since `snapshot`. */
  entries: Entry[];
  snapshot: Snapshot;
  /** Of the state machine. */
  state: string[];
  confState: ConfState;
  applied: number;
  taken: Ready | undefined;
}

const encoder = new TextEncoder();

export class ScriptCluster {
  readonly #members = new Map<bigint, Member>();
  #network: Message[] = [];
  #cuts = new Set<string>();
  #out: string[] = [];

  /** The first line and every further one is a command. */
  readonly execute = (command: Command): string => {
    this.#out = [];
    for (const one of [command, ...command.input.map((line) => parseCommand(line))]) {
      const action = this.#actions[one.name];
      if (action === undefined) throw new Error(`no command ${one.name}`);
      action(one);
    }
    return this.#out.length === 0 ? "ok" : this.#out.join("\n");
  };

  readonly #actions: Readonly<Record<string, (command: Command) => void>> = {
    start: (command) => {
      this.#clear();
      this.#start(command);
    },
    add: (command) => this.#start(command),
    bootstrap: (command) => {
      this.#clear();
      const ids = command.args.map(BigInt);
      const before = [...this.#out];
      for (const id of ids) {
        const member = this.#add(id, command.options, emptyConfState(), []);
        member.raft.bootstrap(ids.map((peer) => ({ id: peer, context: new Uint8Array(0) })));
      }
      this.#out = before;
    },
    campaign: (command) => this.#of(command).raft.campaign(),
    tick: (command) => {
      const { raft } = this.#of(command);
      for (let left = Number(command.args[1] ?? 1); left > 0; left--) raft.tick();
    },
    propose: (command) => {
      for (const data of command.args.slice(1)) {
        const result = this.#of(command).raft.propose(encoder.encode(data));
        if (result !== "ok") this.#out.push(`${data}: ${result}`);
      }
    },
    change: (command) => {
      const result = this.#of(command).raft.proposeConfChange(changeOf(command));
      if (result !== "ok") this.#out.push(result);
    },
    read: (command) => this.#of(command).raft.readIndex(encoder.encode(command.args[1]!)),
    transfer: (command) => this.#of(command).raft.transferLeadership(BigInt(command.args[1]!)),
    run: (command) => this.#run(command),
    ready: (command) => {
      const member = this.#of(command);
      if (!member.raft.hasReady()) this.#out.push(`${member.id} has nothing ready`);
      else this.#process(member, false);
    },
    take: (command) => this.#take(this.#of(command), false),
    advance: (command) => this.#advance(this.#of(command)),
    deliver: (command) => {
      for (const message of this.#pick(command)) {
        this.#out.push(messageText(message));
        this.#members.get(message.to)?.raft.step(message);
      }
    },
    drop: (command) => {
      for (const message of this.#pick(command)) this.#out.push(messageText(message));
    },
    cut: (command) => {
      const [a, b] = command.args;
      this.#cuts.add(`${a}-${b}`).add(`${b}-${a}`);
    },
    isolate: (command) => {
      const id = command.args[0];
      for (const other of this.#members.keys()) {
        this.#cuts.add(`${id}-${other}`).add(`${other}-${id}`);
      }
    },
    heal: () => this.#cuts.clear(),
    hold: (command) => {
      this.#of(command).raft.holdsCommits = command.args[1] === "on";
    },
    tell: (command) => this.#of(command).raft.tellCommits(),
    step: (command) => this.#of(command).raft.step(messageOf(command)),
    snapshot: (command) => {
      const member = this.#of(command);
      const { applied: index, confState, state } = member;
      const term = member.raft.termAt(index);
      member.raft.createSnapshot(index, confState);
      member.snapshot = { index, term, confState, state: [...state] };
      this.#out.push(`${member.id} has snapshot ${term}/${index} ${confStateText(confState)}`);
    },
    compact: (command) => {
      this.#of(command).raft.compact(Number(command.args[1]));
    },
    report: (command) => {
      const { raft } = this.#of(command);
      const [, about, event] = command.args;
      if (event === "unreachable") raft.reportUnreachable(BigInt(about!));
      else if (event === "refused") raft.reportRefused(BigInt(about!));
      else raft.reportSnapshot(BigInt(about!), event === "arrived");
    },
    restart: (command) => this.#restart(this.#of(command)),
    random: (command) => {
      this.#of(command).random = Number(command.args[1]);
    },
    status: (command) => {
      for (const id of command.args) {
        const { raft } = this.#members.get(BigInt(id))!;
        this.#out.push(...indent(`${id} `, statusLines(raft.status())));
      }
    },
    log: (command) => {
      for (const id of command.args) {
        const member = this.#members.get(BigInt(id))!;
        const { index, term } = member.snapshot;
        const entries = member.entries.filter((entry) => entry.index > index).map(entryText);
        const from = index > 0 ? [`snapshot ${term}/${index}`] : [];
        this.#out.push(`${id} ${[...from, ...entries].join(", ") || "(empty)"}`);
      }
    },
    state: (command) => {
      for (const id of command.args) {
        const member = this.#members.get(BigInt(id))!;
        this.#out.push(`${id} [${member.state.join(" ")}] at ${member.applied}`);
      }
    },
  };

  #of(command: Command): Member {
    const member = this.#members.get(BigInt(command.args[0]!));
    if (member === undefined) throw new Error(`no member ${command.args[0]}`);
    return member;
  }

  #clear(): void {
    this.#members.clear();
    this.#network = [];
    this.#cuts.clear();
  }

  #start(command: Command): void {
    const idsOf = (key: string) => {
      const text = command.options.get(key);
      return text === "" ? [] : text?.split(",").map(BigInt);
    };
    const learners = idsOf("learners") ?? [];
    const voters =
      idsOf("voters") ?? command.args.map(BigInt).filter((id) => !learners.includes(id));
    const votersOutgoing = idsOf("outgoing") ?? [];
    const confState = { ...emptyConfState(), voters, learners, votersOutgoing };
    const terms = command.options.get("log")?.split(",").map(Number) ?? [];
    const entries = terms.map((term, at) => {
      return { term, index: at + 1, type: EntryType.Normal, data: new Uint8Array(0) };
    });
    const before = [...this.#out];
    for (const id of command.args) this.#add(BigInt(id), command.options, confState, entries);
    this.#out = before;
  }

  #add(
    id: bigint,
    settings: ReadonlyMap<string, string>,
    confState: ConfState,
    entries: readonly Entry[],
  ): Member {
    const term = Number(settings.get("term") ?? entries.at(-1)?.term ?? 0);
    const hardState = { term, vote: 0n, commit: Number(settings.get("commit") ?? 0) };
    const member: Member = {
      id,
      settings,
      random: 0,
      hardState,
      entries: [...entries],
      snapshot: { index: 0, term: 0, confState, state: [] },
      state: [],
      confState,
      applied: 0,
      taken: undefined,
      raft: undefined as unknown as Raft,
    };
    this.#members.set(id, member);
    this.#open(member);
    return member;
  }

  /** From what is on disk. */
  #open(member: Member): void {
    const { snapshot, settings } = member;
    const number = (key: string, otherwise: number) => Number(settings.get(key) ?? otherwise);
    const restored: Restored = {
      hardState: member.hardState,
      confState: snapshot.confState,
      snapshotIndex: snapshot.index,
      snapshotTerm: snapshot.term,
      entries: member.entries.filter((entry) => entry.index > snapshot.index),
      applied: snapshot.index,
    };
    member.state = [...snapshot.state];
    member.confState = snapshot.confState;
    member.applied = snapshot.index;
    member.taken = undefined;
    const raft = new Raft({
      id: member.id,
      electionTicks: number("election", 10),
      heartbeatTicks: number("heartbeat", 1),
      preVote: settings.get("pre-vote") !== "off",
      checkQuorum: settings.get("check-quorum") !== "off",
      maxSizePerMessageBytes: number("max-size", 1024 * 1024),
      inflightCountMax: number("inflights", 512),
      inflightBytesMax: number("inflight-bytes", 0),
      uncommittedBytesMax: number("uncommitted", 0),
      randomBelow: () => member.random,
      log: this.#logger(),
      restored,
    });
    member.raft = raft;
  }

  #logger(): Logger {
    const print = (message: string, _fields?: Fields) => {
      this.#out.push(`  > ${message}`);
    };
    const logger: Logger = {
      debug: print,
      info: print,
      warn: print,
      error: print,
      named: () => logger,
    };
    return logger;
  }

  #restart(member: Member): void {
    this.#network = this.#network.filter(({ from }) => from !== member.id);
    this.#open(member);
  }

  #run(command: Command): void {
    const isQuiet = command.args.includes("quiet");
    const ids = command.args.filter((arg) => arg !== "quiet").map(BigInt);
    const members = [...this.#members.values()].filter(
      ({ id }) => ids.length === 0 || ids.includes(id),
    );
    const before = [...this.#out];
    for (let rounds = 0; rounds < 200; rounds++) {
      let isQuietRound = true;
      for (const member of members) {
        while (member.taken === undefined && member.raft.hasReady()) {
          isQuietRound = false;
          this.#process(member, isQuiet);
        }
      }
      const messages = this.#network.filter(({ to }) => members.some(({ id }) => id === to));
      this.#network = this.#network.filter((message) => !messages.includes(message));
      for (const message of messages) this.#members.get(message.to)!.raft.step(message);
      if (isQuietRound && messages.length === 0) {
        if (isQuiet) this.#out = before;
        return;
      }
    }
    throw new Error("the members never come to rest");
  }

  #process(member: Member, isQuiet: boolean): void {
    this.#take(member, isQuiet);
    this.#advance(member);
  }

  #take(member: Member, isQuiet: boolean): void {
    const ready = member.raft.ready();
    member.taken = ready;
    if (!isQuiet) this.#out.push(...indent(`${member.id} `, readyLines(ready)));
    persist(member, ready);
    for (const message of ready.messages) {
      const { snapshot, from, to } = message;
      if (snapshot !== undefined) {
        snapshot.data = encoder.encode(member.snapshot.state.join(" "));
      }
      if (!this.#cuts.has(`${from}-${to}`)) this.#network.push(throughWire(message));
    }
    apply(member, ready);
  }

  #advance(member: Member): void {
    if (member.taken === undefined) throw new Error(`${member.id} has no Ready outstanding`);
    const ready = member.taken;
    member.taken = undefined;
    member.raft.advance(ready);
  }

  /** Removes and returns the messages on their way that match. */
  #pick({ options }: Command): Message[] {
    const matches = (message: Message) =>
      (!options.has("to") || message.to === BigInt(options.get("to")!)) &&
      (!options.has("from") || message.from === BigInt(options.get("from")!)) &&
      (!options.has("type") || typeName(message.type) === options.get("type"));
    const picked = this.#network.filter(matches);
    this.#network = this.#network.filter((message) => !matches(message));
    return options.get("order") === "reversed" ? picked.reverse() : picked;
  }
}

function persist(member: Member, ready: Ready): void {
  const metadata = ready.snapshot?.metadata;
  if (metadata?.confState !== undefined && ready.snapshot !== undefined) {
    const { index, term, confState } = metadata;
    const text = new TextDecoder().decode(ready.snapshot.data);
    const state = text === "" ? [] : text.split(" ");
    member.snapshot = { index, term, confState, state };
    member.entries = [];
    member.state = [...state];
    member.confState = confState;
    member.applied = index;
  }
  const first = ready.entries[0];
  if (first !== undefined) {
    member.entries = member.entries.filter((entry) => entry.index < first.index);
    member.entries.push(...ready.entries);
  }
  if (ready.hardState !== undefined) member.hardState = ready.hardState;
}

function apply(member: Member, ready: Ready): void {
  for (const entry of ready.committed) {
    if (entry.index !== member.applied + 1) throw new Error("entries are applied in order");
    member.applied = entry.index;
    if (entry.type === EntryType.Normal) {
      if (entry.data.length > 0) member.state.push(bytesText(entry.data));
    } else if (entry.type === EntryType.ConfChange) {
      member.confState = member.raft.applyConfChange(decodeConfChange(entry.data));
    } else {
      member.confState = member.raft.applyConfChange(decodeConfChangeV2(entry.data));
    }
  }
}

function throughWire(message: Message): Message {
  return decodeMessage(encodeMessage(message));
}

function indent(first: string, lines: readonly string[]): string[] {
  const rest = " ".repeat(first.length);
  return lines.map((line, at) => `${at === 0 ? first : rest}${line}`);
}

function emptyConfState(): ConfState {
  return { voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
}

function changeOf(command: Command): ConfChange | ConfChangeV2 {
  const context = new Uint8Array(0);
  const signs: Record<string, 0 | 1 | 2 | 3> = { "+": 0, "-": 1, "=": 2, "~": 3 };
  const changes = command.args.slice(1).map((text) => {
    return { type: signs[text[0]!]!, nodeId: BigInt(text.slice(1)) };
  });
  const joint = command.options.get("joint");
  if (joint === undefined) return { ...changes[0]!, context, id: 0n };
  const transition = ({ auto: 0, implicit: 1, explicit: 2 } as const)[joint];
  if (transition === undefined) throw new Error(`no transition ${joint}`);
  return { transition, changes, context };
}

/** `step 1 App from=2 term=2 after=1/3 entries=2/4:a,2/5 commit=3` */
function messageOf({ args, options }: Command): Message {
  const message = newMessage();
  const place = (text: string) => text.split("/").map(Number) as [number, number];
  message.type = typeNumber(args[1]!) as MessageType;
  message.to = BigInt(args[0]!);
  message.from = BigInt(options.get("from") ?? 0);
  message.term = Number(options.get("term") ?? 0);
  message.index = Number(options.get("index") ?? 0);
  message.commit = Number(options.get("commit") ?? 0);
  message.vote = BigInt(options.get("vote") ?? 0);
  message.reject = args.includes("reject");
  const at = options.get("after") ?? options.get("last");
  if (at !== undefined) [message.logTerm, message.index] = place(at);
  const hint = options.get("hint");
  if (hint !== undefined) [message.logTerm, message.rejectHint] = place(hint);
  const context = options.get("context");
  if (context?.startsWith("x") === true) message.context = Buffer.from(context.slice(1), "hex");
  else if (context !== undefined) message.context = encoder.encode(context);
  message.entries = (options.get("entries")?.split(",") ?? []).map((text) => {
    const [where, data] = text.split(":");
    const [term, index] = place(where!);
    // "!…" are the raw bytes of a conf change.
    const isConfChange = data?.startsWith("!") === true;
    const type = isConfChange ? EntryType.ConfChange : EntryType.Normal;
    return { term, index, type, data: encoder.encode(data?.slice(isConfChange ? 1 : 0)) };
  });
  const snapshot = options.get("snapshot");
  if (snapshot !== undefined) {
    const [term, index] = place(snapshot);
    const voters = (options.get("voters") ?? "").split(",").map(BigInt);
    const confState = { ...emptyConfState(), voters };
    message.snapshot = { data: new Uint8Array(0), metadata: { confState, index, term } };
  }
  return message;
}
