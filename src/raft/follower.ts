// What a follower does with the leader's messages. An acknowledgement names what the message
// covered, never more: the tail behind it may differ from the leader's log. It leaves when it is
// durable, a refusal too.

import { assert } from "../base/assert.ts";
import { type Message, MessageType, type Snapshot } from "../wire/messages/raft.ts";
import { configurationOf } from "./confchange.ts";
import { type Core, messageTo } from "./core.ts";
import { UNKNOWN_TERM } from "./log.ts";
import { switchConfiguration } from "./membership.ts";

export function handleAppend(core: Core, message: Message): void {
  const log = core.log;
  if (message.index < log.commit) {
    acknowledge(core, message.from, log.commit);
  } else if (!log.matches(message.index, message.logTerm)) {
    refuse(core, message);
  } else if (!isSound(message)) {
    core.logger.warn(
      `${core.idHex} ignores entries out of order from ${message.from.toString(16)}`,
    );
  } else {
    log.merge(message.entries);
    const last = message.index + message.entries.length;
    log.commitTo(Math.min(message.commit, last));
    acknowledge(core, message.from, last);
  }
}

/** Entries follow the one that `message` names, and each other; their terms never fall. */
function isSound(message: Message): boolean {
  let term = message.logTerm;
  for (let at = 0; at < message.entries.length; at++) {
    const entry = message.entries[at]!;
    if (entry.index !== message.index + 1 + at || entry.term < term) return false;
    term = entry.term;
  }
  return true;
}

function acknowledge(core: Core, to: bigint, index: number): void {
  const answer = messageTo(to, MessageType.MsgAppResp);
  answer.term = core.term;
  answer.index = index;
  core.sendAfterAppend(answer);
}

/** Tells where the logs may still agree, so that the leader need not try index by index. */
function refuse(core: Core, message: Message): void {
  const hint = core.log.agreementHint(message.index, message.logTerm);
  const hintTerm = core.log.term(hint);
  const answer = messageTo(message.from, MessageType.MsgAppResp);
  answer.term = core.term;
  answer.index = message.index;
  answer.reject = true;
  answer.rejectHint = hint;
  answer.logTerm = hintTerm === UNKNOWN_TERM ? 0 : hintTerm;
  core.sendAfterAppend(answer);
}

export function handleHeartbeat(core: Core, message: Message): void {
  // Asserts that the log reaches that far: a disk that lost acknowledged entries ends here.
  core.log.commitTo(message.commit);
  const answer = messageTo(message.from, MessageType.MsgHeartbeatResp);
  answer.context = message.context;
  core.send(answer);
}

export function handleSnapshot(core: Core, message: Message): void {
  const snapshot = message.snapshot;
  const isInstalled = snapshot !== undefined && install(core, snapshot);
  acknowledge(core, message.from, isInstalled ? core.log.last : core.log.commit);
}

function install(core: Core, snapshot: Snapshot): boolean {
  assert(core.role === "follower", "only a follower takes over a snapshot");
  const log = core.log;
  const metadata = snapshot.metadata;
  const confState = metadata?.confState;
  if (metadata === undefined || metadata.index <= log.commit) return false;
  const { index, term } = metadata;
  if (confState === undefined || !isForMe(core, confState)) {
    core.logger.warn(`${core.idHex} ignores a snapshot of a configuration that it is not part of`);
    return false;
  }
  if (log.matches(index, term)) {
    // Everything is here; only that it is committed was news.
    log.commitTo(index);
    return false;
  }
  log.restore(snapshot, metadata);
  core.superseded ??= core.tracker.configuration;
  switchConfiguration(core, configurationOf(confState));
  core.tracker.self?.acknowledge(index);
  core.logger.info(`${core.idHex} restored snapshot [index: ${index}, term: ${term}]`);
  return true;
}

function isForMe(
  core: Core,
  confState: NonNullable<NonNullable<Snapshot["metadata"]>["confState"]>,
) {
  const { voters, learners, votersOutgoing } = confState;
  return [voters, learners, votersOutgoing].some((ids) => ids.includes(core.id));
}
