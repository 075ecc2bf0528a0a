// Which of many ranges [from, to) contain a key? An AVL tree of the ranges in the order of `from`,
// then `to`; each node knows the largest end below it, so that whole branches are left out.
//
//            [c, f) max ∞                 find("k"): left branch ends at f, is left out;
//           /            \                right branch begins at h: [h, n) yes, [m, ∞) not yet
//    [a, d) max e     [h, n) max ∞
//           \                \            No end (`undefined`) is behind all ends.
//         [b, e)           [m, ∞)

interface Node<Value> {
  readonly from: string;
  readonly to: string | undefined;
  value: Value;
  left: Node<Value> | null;
  right: Node<Value> | null;
  height: number;
  maxTo: string | undefined;
}

export class IntervalTree<Value> {
  size = 0;
  #root: Node<Value> | null = null;

  get(from: string, to: string | undefined): Value | undefined {
    let node = this.#root;
    while (node !== null) {
      const order = compare(from, to, node);
      if (order === 0) return node.value;
      node = order < 0 ? node.left : node.right;
    }
    return undefined;
  }

  set(from: string, to: string | undefined, value: Value): void {
    this.#root = this.#insert(this.#root, from, to, value);
  }

  /** True if there was such a range. */
  delete(from: string, to: string | undefined): boolean {
    const before = this.size;
    this.#root = this.#remove(this.#root, from, to);
    return this.size < before;
  }

  /** Appends the values of all ranges that contain `key`. */
  find(key: string, found: Value[]): void {
    if (this.#root !== null) collect(this.#root, key, found);
  }

  /** Of all ranges, in their order. */
  *values(): Iterable<Value> {
    yield* walk(this.#root);
  }

  #insert(
    node: Node<Value> | null,
    from: string,
    to: string | undefined,
    value: Value,
  ): Node<Value> {
    if (node === null) {
      this.size++;
      return { from, to, value, left: null, right: null, height: 1, maxTo: to };
    }
    const order = compare(from, to, node);
    if (order === 0) {
      node.value = value;
      return node;
    }
    if (order < 0) node.left = this.#insert(node.left, from, to, value);
    else node.right = this.#insert(node.right, from, to, value);
    return balance(node);
  }

  #remove(node: Node<Value> | null, from: string, to: string | undefined): Node<Value> | null {
    if (node === null) return null;
    const order = compare(from, to, node);
    if (order < 0) node.left = this.#remove(node.left, from, to);
    else if (order > 0) node.right = this.#remove(node.right, from, to);
    else {
      this.size--;
      if (node.left === null) return node.right;
      if (node.right === null) return node.left;
      return takeFirst(node.right, (first, rest) => {
        first.left = node.left;
        first.right = rest;
        return balance(first);
      });
    }
    return balance(node);
  }
}

/** Takes the first node out of a branch and hands it on with what is left. */
function takeFirst<Value>(
  node: Node<Value>,
  use: (first: Node<Value>, rest: Node<Value> | null) => Node<Value>,
): Node<Value> {
  if (node.left === null) return use(node, node.right);
  return takeFirst(node.left, (first, rest) => {
    node.left = rest;
    return use(first, balance(node));
  });
}

function compare<Value>(from: string, to: string | undefined, node: Node<Value>): number {
  if (from !== node.from) return from < node.from ? -1 : 1;
  if (to === node.to) return 0;
  return isEarlier(to, node.to) ? -1 : 1;
}

function isEarlier(left: string | undefined, right: string | undefined): boolean {
  return left !== undefined && (right === undefined || left < right);
}

function collect<Value>(node: Node<Value>, key: string, found: Value[]): void {
  if (node.maxTo !== undefined && node.maxTo <= key) return;
  if (node.left !== null) collect(node.left, key, found);
  if (node.from > key) return;
  if (node.to === undefined || key < node.to) found.push(node.value);
  if (node.right !== null) collect(node.right, key, found);
}

function* walk<Value>(node: Node<Value> | null): Iterable<Value> {
  if (node === null) return;
  yield* walk(node.left);
  yield node.value;
  yield* walk(node.right);
}

function heightOf<Value>(node: Node<Value> | null): number {
  return node === null ? 0 : node.height;
}

function update<Value>(node: Node<Value>): void {
  const { left, right } = node;
  node.height = 1 + Math.max(heightOf(left), heightOf(right));
  let max = node.to;
  if (left !== null && isEarlier(max, left.maxTo)) max = left.maxTo;
  if (right !== null && isEarlier(max, right.maxTo)) max = right.maxTo;
  node.maxTo = max;
}

/** The node that takes the place of `node`, whose branches differ by two at most. */
function balance<Value>(node: Node<Value>): Node<Value> {
  const lean = heightOf(node.left) - heightOf(node.right);
  if (lean > 1) {
    const left = node.left!;
    if (heightOf(left.left) < heightOf(left.right)) node.left = rotateLeft(left);
    return rotateRight(node);
  }
  if (lean < -1) {
    const right = node.right!;
    if (heightOf(right.right) < heightOf(right.left)) node.right = rotateRight(right);
    return rotateLeft(node);
  }
  update(node);
  return node;
}

function rotateLeft<Value>(node: Node<Value>): Node<Value> {
  const right = node.right!;
  node.right = right.left;
  right.left = node;
  update(node);
  update(right);
  return right;
}

function rotateRight<Value>(node: Node<Value>): Node<Value> {
  const left = node.left!;
  node.left = left.right;
  left.right = node;
  update(node);
  update(left);
  return left;
}
