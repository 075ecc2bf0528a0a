import { Kv } from "../../client/kv.ts";
import type { Body } from "../flags/command.ts";
import { ParseError, parseInt64 } from "../flags/go-text.ts";
import { badArguments, Exit, ExitCode } from "./exit.ts";
import type { Session } from "./session.ts";

function parseRevision(text: string): number {
  try {
    return Number(parseInt64(text));
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw new Exit(ExitCode.Error, error.message);
  }
}

export const body: Body<Session> = {
  prepare(flags) {
    const physical = flags.boolean("physical", false, "wait until the old revisions are gone");
    return async (session, args) => {
      if (args.length !== 1) throw badArguments("compaction command needs 1 argument");
      const revision = parseRevision(args[0]!);
      const kv = new Kv(await session.caller());
      // Removing the revisions themselves may take long.
      const options = physical.value ? {} : session.callOptions;
      await kv.compact({ revision, physical: physical.value }, options);
      session.print(`compacted revision ${revision}\n`);
    };
  },
};
