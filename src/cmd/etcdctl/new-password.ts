// A new password: typed twice, or a line of standard input.

import { askPassword } from "./ask-password.ts";
import { badArguments } from "./exit.ts";
import type { Session } from "./session.ts";

/** @throws Exit when nothing is typed, or twice not the same */
export async function newPassword(
  session: Session,
  name: string,
  options: { interactive: boolean },
): Promise<string> {
  const { console } = session;
  if (!options.interactive) return (await console.readLine()).replace(/\r?\n$/, "");
  const first = await askPassword(console, `Password of ${name}: `);
  if (first === "") throw badArguments("empty password");
  const again = `Type password of ${name} again for confirmation: `;
  const second = await askPassword(console, again);
  if (first !== second) throw badArguments("given passwords are different");
  return first;
}
