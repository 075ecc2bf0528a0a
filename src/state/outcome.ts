// What came of one log entry: all that the one who asked is told, in one shape for all requests.

import type { AlarmMember } from "../wire/messages/rpc-maintenance.ts";
import type { RpcError } from "../wire/status.ts";
import type { CompactionJob } from "./mvcc/compaction.ts";
import type { KeyValueList } from "./mvcc/key-value-list.ts";
import type { RangeResult } from "./mvcc/range.ts";
import type { TxnResult } from "./mvcc/txn-result.ts";

export class Outcome {
  readonly index: number;
  readonly term: number;
  /** Number of the request in InternalRaftRequest (`RequestField`); 0 for an empty entry. */
  field = 0;
  /** The request id: 16 bits of the member, 48 of time and counter. */
  idHigh = 0;
  idLow48 = 0;
  error: RpcError | null = null;
  /** For the header of the answer; valid with an error too. */
  revision = 0;
  /** The entry was applied before the restart already; nothing else is set. */
  isReplay = false;
  /** This member ran out of space and nobody has raised the alarm yet: it should. */
  shouldRaiseNoSpace = false;

  // Of the kind of request each:
  /** Old KeyValues of a put (at most one) or a range deletion, when asked for. */
  previous: KeyValueList | null = null;
  deleted = 0;
  range: RangeResult | null = null;
  txn: TxnResult | null = null;
  leaseId = 0n;
  leaseTtl = 0;
  alarms: readonly AlarmMember[] = [];
  /**
   * The compaction; after an error, the last one still running, which a physical request waits for
   * before it is told the error.
   */
  compaction: CompactionJob | null = null;

  constructor(index: number, term: number) {
    this.index = index;
    this.term = term;
  }
}
