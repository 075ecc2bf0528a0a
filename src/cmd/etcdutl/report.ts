// Findings of an examination: what is wrong, where, and what to do.

export interface Found {
  readonly level: "bad" | "note";
  readonly where: string;
  readonly what: string;
  readonly advice: string;
}

export class Report {
  readonly found: Found[] = [];
  /** What was looked at and is as it should be. */
  readonly good: string[] = [];

  get isBad(): boolean {
    return this.found.some(({ level }) => level === "bad");
  }

  bad(where: string, what: string, advice: string): void {
    this.found.push({ level: "bad", where, what, advice });
  }

  note(where: string, what: string, advice: string): void {
    this.found.push({ level: "note", where, what, advice });
  }

  ok(what: string): void {
    this.good.push(what);
  }
}
