// Which of a peer's URLs is used. All its links use the same; a failure moves all to the next.

export class UrlPicker {
  #urls: readonly string[];
  #picked = 0;
  /** Where nobody listened, with no other outcome since. */
  readonly #refused = new Set<string>();

  constructor(urls: readonly string[]) {
    this.#urls = urls;
  }

  update(urls: readonly string[]): void {
    this.#urls = urls;
    this.#picked = 0;
    this.#refused.clear();
  }

  pick(): string {
    return this.#urls[this.#picked]!;
  }

  /** Only who saw the present one fail moves on: four failures at once are one. */
  unreachable(url: string): void {
    if (url === this.#urls[this.#picked]) this.#picked = (this.#picked + 1) % this.#urls.length;
  }

  /** Told how an attempt at `url` ended; true if by now nobody listens at any of the URLs. */
  isRefusedEverywhere(url: string, isRefused: boolean): boolean {
    if (isRefused) this.#refused.add(url);
    else this.#refused.clear();
    return this.#urls.every((each) => this.#refused.has(each));
  }
}
