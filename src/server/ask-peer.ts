// A question to a member that may have several addresses: the first that gives a useful answer
// counts.

import type { Network, PeerAnswer, PeerRequest } from "../io/network.ts";

export interface Question<Result> {
  readonly network: Pick<Network, "ask">;
  readonly urls: readonly string[];
  readonly request: PeerRequest;
  /** @throws Error: the answer is none, the next address is asked. */
  readonly read: (answer: PeerAnswer) => Result;
  /** Each address that was asked in vain. */
  readonly onFailure: (url: string, error: Error) => void;
}

/** `done` is called once, with the last error when no address gave an answer. */
export function askPeer<Result extends object>(
  question: Question<Result>,
  done: (result: Result | Error) => void,
): void {
  const { network, urls, request, read, onFailure } = question;
  const next = (at: number, last: Error): void => {
    const url = urls[at];
    if (url === undefined) {
      done(last);
      return;
    }
    network.ask(url, request, (answer) => {
      const result = answer instanceof Error ? answer : readSafely(read, answer);
      if (result instanceof Error) {
        onFailure(url, result);
        next(at + 1, result);
      } else done(result);
    });
  };
  next(0, new Error("the member has no address"));
}

function readSafely<Result>(
  read: (answer: PeerAnswer) => Result,
  answer: PeerAnswer,
): Result | Error {
  try {
    return read(answer);
  } catch (error) {
    return error as Error;
  }
}

/** Asks all; `done` has one result for each, in their order. */
export function askAll<Asked, Result>(
  asked: readonly Asked[],
  ask: (one: Asked, done: (result: Result) => void) => void,
  done: (results: Result[]) => void,
): void {
  const results = new Array<Result>(asked.length);
  let missing = asked.length;
  if (missing === 0) done(results);
  asked.forEach((one, at) => {
    ask(one, (result) => {
      results[at] = result;
      missing--;
      if (missing === 0) done(results);
    });
  });
}
