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

  /** How an attempt at `url` ended. */
  ended(url: string, isRefused: boolean): void {
    if (isRefused) this.#refused.add(url);
    else this.#refused.clear();
  }

  /** Nobody listens at any of the URLs. */
  get isRefusedEverywhere(): boolean {
    return this.#urls.every((url) => this.#refused.has(url));
  }
}
