import { body as etcdutlBody } from "../etcdutl/snapshot-restore.ts";
import type { Body } from "../flags/command.ts";
import { olderSpelling } from "./older-spelling.ts";
import type { Session } from "./session.ts";

export const body: Body<Session> = olderSpelling(["snapshot", "restore"], etcdutlBody);
