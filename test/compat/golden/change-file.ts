// What a transcript does to files between its steps: `do: copy abs.db good.db`.

import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * - `copy FROM TO`
 * - `fill FILE TEXT TIMES`: a file of a repeated text
 * - `flip FROM TO OFFSET`: a copy with all bits of one byte turned; negative counts from the end
 * - `cut FROM TO BYTES`: a copy without its last bytes
 */
export function changeFile(directory: string, verb: string, words: readonly string[]): void {
  const [from = "", second = "", third = ""] = words;
  const source = join(directory, from);
  const target = join(directory, second);
  if (verb === "copy") copyFileSync(source, target);
  else if (verb === "fill") writeFileSync(source, second.repeat(Number(third)));
  else if (verb === "flip") {
    const bytes = readFileSync(source);
    const at = Number(third) < 0 ? bytes.length + Number(third) : Number(third);
    bytes[at] = bytes[at]! ^ 0xff;
    writeFileSync(target, bytes);
  } else if (verb === "cut") {
    writeFileSync(target, readFileSync(source).subarray(0, -Number(third)));
  } else throw new Error(`do: ${verb} is not known`);
}
