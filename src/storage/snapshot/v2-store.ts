// The membership as a dump of etcd's retired v2 store. etcd up to 3.6 starts from it, and all up
// to 3.7 write it into `.snap` files; nothing else of that store is left. A dump is one object:
//
//   Root           the tree: /0/members/<id>/{raftAttributes,attributes}, /0/removed_members/<id>,
//                  /0/version; /1 is empty. Leaves have a Value, directories Children.
//   WatcherHub     the changes that made it, in a ring of 1000 places
//   CurrentIndex   their number; each made the nodes that carry it as CreatedIndex
//   Stats, CurrentVersion

/** What is in it; one member per entry of `members`. */
export interface Membership {
  readonly members: readonly {
    readonly id: bigint;
    readonly peerUrls: readonly string[];
    readonly isLearner: boolean;
    readonly name: string;
    /** Empty until the member has started for the first time. */
    readonly clientUrls: readonly string[];
  }[];
  readonly removed: readonly bigint[];
  /** As "3.7.0"; undefined until the leader has decided it. */
  readonly version: string | undefined;
}

const NO_TIME = "0001-01-01T00:00:00Z";
const HISTORY_CAPACITY = 1000;
const STATS = [
  "getsSuccess",
  "getsFail",
  "setsSuccess",
  "setsFail",
  "deleteSuccess",
  "deleteFail",
  "updateSuccess",
  "updateFail",
  "createSuccess",
  "createFail",
  "compareAndSwapSuccess",
  "compareAndSwapFail",
  "compareAndDeleteSuccess",
  "compareAndDeleteFail",
  "expireCount",
  "watchers",
];

interface Node {
  readonly path: string;
  readonly index: number;
  readonly value: string;
  /** undefined: a leaf. */
  readonly children: Map<string, Node> | undefined;
}

export function encodeV2Store(membership: Membership): Uint8Array {
  const store = new V2Store();
  for (const member of membership.members) {
    const path = `/0/members/${member.id.toString(16)}`;
    const { peerUrls, name, clientUrls } = member;
    const learner = member.isLearner ? ',"isLearner":true' : "";
    store.change("create", `${path}/raftAttributes`, `{"peerURLs":${goJson(peerUrls)}${learner}}`);
    if (clientUrls.length === 0) continue;
    const named = name === "" ? "" : `"name":${goJson(name)},`;
    store.change("set", `${path}/attributes`, `{${named}"clientURLs":${goJson(clientUrls)}}`);
  }
  for (const id of membership.removed) {
    store.change("create", `/0/removed_members/${id.toString(16)}`, "");
  }
  if (membership.version !== undefined) store.change("set", "/0/version", membership.version);
  return new TextEncoder().encode(store.dump());
}

class V2Store {
  readonly #root: Node = directory("/", 0);
  readonly #events: string[] = [];
  #index = 0;

  constructor() {
    for (const name of ["0", "1"]) this.#root.children!.set(name, directory(`/${name}`, 0));
  }

  change(action: "create" | "set", path: string, value: string): void {
    const index = ++this.#index;
    const names = path.slice(1).split("/");
    const last = names.pop()!;
    let parent = this.#root;
    let at = "";
    for (const name of names) {
      at += `/${name}`;
      let next = parent.children!.get(name);
      if (next === undefined) {
        next = directory(at, index);
        parent.children!.set(name, next);
      }
      parent = next;
    }
    parent.children!.set(last, { path, index, value, children: undefined });
    const node = `{"key":${goJson(path)},"value":${goJson(value)}`;
    const indexes = `"modifiedIndex":${index},"createdIndex":${index}}`;
    this.#events.push(`{"action":"${action}","node":${node},${indexes}}`);
  }

  dump(): string {
    const count = this.#index;
    // A ring: with more changes than places the oldest are overwritten.
    const places = new Array<string>(HISTORY_CAPACITY).fill("null");
    this.#events.forEach((event, at) => {
      places[at % HISTORY_CAPACITY] = event;
    });
    const size = Math.min(count, HISTORY_CAPACITY);
    const back = count % HISTORY_CAPACITY;
    const front = size < HISTORY_CAPACITY ? 0 : back;
    const queue =
      `{"Events":[${places.join()}],"Size":${size},"Front":${front},"Back":${back},` +
      `"Capacity":${HISTORY_CAPACITY}}`;
    const start = Math.max(1, count - HISTORY_CAPACITY + 1);
    const history = `{"Queue":${queue},"StartIndex":${start},"LastIndex":${count}}`;
    const stats = STATS.map((name) => `"${name}":0`).join();
    return (
      `{"Root":${dumpNode(this.#root)},"WatcherHub":{"EventHistory":${history}},` +
      `"CurrentIndex":${count},"Stats":{${stats}},"CurrentVersion":2}`
    );
  }
}

function directory(path: string, index: number): Node {
  return { path, index, value: "", children: new Map() };
}

function dumpNode({ path, index, value, children }: Node): string {
  const head =
    `{"Path":${goJson(path)},"CreatedIndex":${index},"ModifiedIndex":${index},` +
    `"ExpireTime":"${NO_TIME}","Value":${goJson(value)},"Children":`;
  if (children === undefined) return `${head}null}`;
  const names = [...children.keys()].sort();
  const parts = names.map((name) => `${goJson(name)}:${dumpNode(children.get(name)!)}`);
  return `${head}{${parts.join()}}}`;
}

/** As Go's encoding/json writes strings: with these five characters escaped. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
