// Who waits for a proposal, for methods that are not hot: an error ends the call, otherwise the
// answer is built by a function.

import type { Waiter } from "../server/proposals.ts";
import type { Outcome } from "../state/outcome.ts";
import type { UnaryCall } from "../wire/rpc.ts";
import type { RpcError } from "../wire/status.ts";

export class ProposalAnswer implements Waiter {
  proposedAtMs = 0;
  readonly #call: UnaryCall;
  readonly #answer: (outcome: Outcome) => void;

  constructor(call: UnaryCall, answer: (outcome: Outcome) => void) {
    this.#call = call;
    this.#answer = answer;
  }

  settle(outcome: Outcome): void {
    if (outcome.error !== null) this.#call.fail(outcome.error);
    else this.#answer(outcome);
  }

  fail(error: RpcError): void {
    this.#call.fail(error);
  }
}
