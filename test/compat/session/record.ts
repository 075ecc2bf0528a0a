// Sessions are transcripts without answers: what a server answers is recorded anew each time, from
// stock etcd and from ours, and compared. To read one:
//
//     node test/compat/session/record.ts session|etcdutl ours|stock [3.7|3.4]

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findRoot } from "../../tidy/source-file.ts";
import { perform } from "../golden/perform.ts";
import { ourPrograms, stockPrograms } from "../golden/programs.ts";
import { type Item, parseTranscript, showTranscript } from "../golden/transcript.ts";
import { debianEtcdctl } from "./debian.ts";

/** Behind those of the goldens. */
const FIRST_PORT = Number(process.env["QUORATE_SESSION_PORT"] ?? 24390);

export type Server = "ours" | "stock";
export type ClientVersion = "3.7" | "3.4";

export async function record(
  name: string,
  server: Server,
  client: ClientVersion = "3.7",
): Promise<Item[]> {
  const path = join(findRoot(), "test", "compat", "session", `${name}.txt`);
  const items = parseTranscript(readFileSync(path, "utf8"));
  const stock = stockPrograms();
  const programs = {
    etcd: server === "ours" ? ourPrograms().etcd : stock.etcd,
    etcdctl: client === "3.7" ? stock.etcdctl : [debianEtcdctl()],
    etcdutl: stock.etcdutl,
  };
  return perform(items, programs, FIRST_PORT);
}

if (process.argv[1] !== undefined && /session[\\/]record\.[jt]s$/.test(process.argv[1])) {
  const [name = "session", server = "ours", client = "3.7"] = process.argv.slice(2);
  console.log(showTranscript(await record(name, server as Server, client as ClientVersion)));
}
