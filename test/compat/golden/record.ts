// Records the transcripts again with the reference programs: node dist/test/compat/golden/record.js
// [PATTERN]. The commands stay, the answers are replaced; look at the diff.

import { stockPrograms } from "./programs.ts";
import { listTranscripts, performAll, writeTranscript } from "./transcripts.ts";

const pattern = new RegExp(process.argv[2] ?? "");
await performAll(listTranscripts(pattern), stockPrograms(), (name, items) => {
  writeTranscript(name, items);
  console.log(`${name}: ${items.filter((item) => item.kind === "step").length} steps`);
});
