// --auth-token: a kind and its options, as in "jwt,pub-key=k.pem,sign-method=RS256".

import { ParseError } from "../flags/go-text.ts";

/** "" makes no tokens at all. */
const KINDS = ["simple", "jwt", ""];

/** @throws ParseError */
export function checkAuthToken(text: string): void {
  const [kind, ...options] = text.split(",");
  const names = options.map((option) => option.split("="));
  const isPaired = names.every((parts) => parts.length === 2);
  const isUnique = new Set(names.map(([name]) => name)).size === names.length;
  if (KINDS.includes(kind!) && isPaired && isUnique) return;
  throw new ParseError("auth: invalid auth options");
}
