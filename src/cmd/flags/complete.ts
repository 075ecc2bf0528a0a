import type { Command } from "./command.ts";
export async function complete<Context>(
  _root: Command<Context>,
  _words: readonly string[],
): Promise<string> {
  return "";
}
