import type { Body } from "../flags/command.ts";
import type { Session } from "./session.ts";

/** The etcd release whose behaviour and API this program has. */
const ETCD_VERSION = "3.7.3";
const API_VERSION = "3.7";

export const body: Body<Session> = {
  prepare: () => async (session) => {
    session.print(`etcdutl version: ${ETCD_VERSION}\nAPI version: ${API_VERSION}\n`);
  },
};
