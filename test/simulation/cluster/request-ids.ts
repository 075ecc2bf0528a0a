// The id under which a request of a client goes into the log. The API tells it to nobody, so the
// maker of ids is watched while the method is called.

import { RequestIds } from "../../../src/server/request-id.ts";

let last: string | undefined;

const { nextLow } = RequestIds.prototype;
RequestIds.prototype.nextLow = function (this: RequestIds): number {
  const low = nextLow.call(this);
  last = `${this.high}.${low}`;
  return low;
};

/** Does `task`; returns the id of the last request that was proposed by it. */
export function noteRequestId(task: () => void): string | undefined {
  last = undefined;
  task();
  return last;
}
