// Our own: what a member does by itself so that its store does not fill up.

import { choice, duration, type Flag, flag, text, uint } from "./flag.ts";

const DAY_NS = 24 * 3600e9;

export const CARE_FLAGS: readonly Flag[] = [
  flag(
    "self-care",
    choice("on", "observe", "off"),
    "on",
    "Compact and defragment by itself before the quota is reached; observe only tells.",
  ),
  flag("backup-dir", text, "", "Where the member keeps backups of its database; if empty, none."),
  flag("backup-interval", duration, DAY_NS, "Time between two backups."),
  flag("backup-keep", uint, 7, "How many of the member's backups are kept."),
];
