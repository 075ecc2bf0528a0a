// Our own: what a member does by itself so that its store does not fill up.

import { choice, type Flag, flag } from "./flag.ts";

export const CARE_FLAGS: readonly Flag[] = [
  flag(
    "self-care",
    choice("on", "observe", "off"),
    "on",
    "Compact and defragment by itself before the quota is reached; observe only tells.",
  ),
];
