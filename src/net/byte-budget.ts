// Bytes held on behalf of peers, counted against a limit; budgets nest (connection in server).

export class ByteBudget {
  usedBytes = 0;
  readonly limitBytes: number;
  readonly parent: ByteBudget | null;

  constructor(limitBytes: number, parent: ByteBudget | null = null) {
    this.limitBytes = limitBytes;
    this.parent = parent;
  }

  hasRoom(bytes: number): boolean {
    if (this.usedBytes + bytes > this.limitBytes) return false;
    return this.parent === null || this.parent.hasRoom(bytes);
  }

  take(bytes: number): void {
    this.usedBytes += bytes;
    this.parent?.take(bytes);
  }

  release(bytes: number): void {
    this.usedBytes -= bytes;
    this.parent?.release(bytes);
  }
}
