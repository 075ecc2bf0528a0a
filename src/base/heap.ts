// A binary heap: the smallest element first, by the order given.

export class Heap<Element> {
  readonly #isBefore: (left: Element, right: Element) => boolean;
  readonly #elements: Element[] = [];

  constructor(isBefore: (left: Element, right: Element) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#elements.length;
  }

  /** The smallest element, or undefined. */
  peek(): Element | undefined {
    return this.#elements[0];
  }

  push(element: Element): void {
    const elements = this.#elements;
    let at = elements.length;
    elements.push(element);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(element, elements[parent]!)) break;
      elements[at] = elements[parent]!;
      at = parent;
    }
    elements[at] = element;
  }

  /** Takes the smallest element out. */
  pop(): Element | undefined {
    const elements = this.#elements;
    const first = elements[0];
    const last = elements.pop();
    if (last === undefined || elements.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= elements.length) break;
      if (child + 1 < elements.length && this.#isBefore(elements[child + 1]!, elements[child]!)) {
        child++;
      }
      if (!this.#isBefore(elements[child]!, last)) break;
      elements[at] = elements[child]!;
      at = child;
    }
    elements[at] = last;
    return first;
  }

  /** Drops all elements that are not to be kept. */
  retain(isKept: (element: Element) => boolean): void {
    const kept = this.#elements.filter(isKept);
    this.#elements.length = 0;
    for (const element of kept) this.push(element);
  }
}
