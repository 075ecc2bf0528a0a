// One line on standard error that says how far a long command is; only on a terminal, so that
// logs and scripts never see it.

import type { Console } from "./console.ts";

/** Redrawn no more often than an eye can follow. */
const REDRAW_MS = 100;

const BAR_COLUMNS = 40;

export class Progress {
  readonly #console: Console;
  readonly #nowMs: () => number;
  readonly #isShown: boolean;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #width = 0;

  constructor(console: Console, nowMs: () => number) {
    this.#console = console;
    this.#nowMs = nowMs;
    this.#isShown = console.isErrorTerminal;
  }

  /** `done` of `total`, and what is to be said about it. */
  update(done: number, total: number, text: string): void {
    if (!this.#isShown || this.#nowMs() - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = this.#nowMs();
    const share = total > 0 ? Math.min(1, done / total) : 0;
    const filled = Math.round(share * BAR_COLUMNS);
    const bar = "#".repeat(filled) + "-".repeat(BAR_COLUMNS - filled);
    const line = `[${bar}] ${(share * 100).toFixed(0).padStart(3)}% ${text}`;
    this.#console.err(`\r${line.padEnd(this.#width)}`);
    this.#width = line.length;
  }

  /** Wipes the line. */
  end(): void {
    if (this.#width > 0) this.#console.err(`\r${" ".repeat(this.#width)}\r`);
    this.#width = 0;
  }
}
