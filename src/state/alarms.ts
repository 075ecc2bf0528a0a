// Alarms: facts about members that restrict what the cluster accepts. NOSPACE: nothing that needs
// room. CORRUPT: nothing that goes through the log to the keys.

import { Bucket } from "../storage/schema.ts";
import {
  type AlarmMember,
  AlarmType,
  decodeAlarmMember,
  encodeAlarmMember,
} from "../wire/messages/rpc-maintenance.ts";
import type { RecordStore } from "./mvcc/record-store.ts";

const NO_VALUE = new Uint8Array(0);

export class Alarms {
  readonly #records: RecordStore;
  readonly #active: AlarmMember[] = [];

  constructor(records: RecordStore) {
    this.#records = records;
  }

  restore(): void {
    this.#records.forEach(Bucket.alarm, (key) => {
      this.#active.push(decodeAlarmMember(key));
    });
  }

  forget(): void {
    this.#active.length = 0;
  }

  /** Is such an alarm raised by anybody? */
  isActive(alarm: number): boolean {
    for (const active of this.#active) if (active.alarm === alarm) return true;
    return false;
  }

  /** Those of a type; of all types for NONE. */
  list(alarm: number): AlarmMember[] {
    if (alarm === AlarmType.NONE) return [...this.#active];
    return this.#active.filter((active) => active.alarm === alarm);
  }

  /** An alarm that is already there is not written again. */
  activate(memberID: bigint, alarm: AlarmType): AlarmMember {
    const known = this.#find(memberID, alarm);
    if (known !== undefined) return known;
    const member: AlarmMember = { memberID, alarm };
    this.#active.push(member);
    this.#records.put(Bucket.alarm, encodeAlarmMember(member), NO_VALUE);
    return member;
  }

  deactivate(memberID: bigint, alarm: AlarmType): AlarmMember | undefined {
    const known = this.#find(memberID, alarm);
    if (known === undefined) return undefined;
    this.#active.splice(this.#active.indexOf(known), 1);
    this.#records.delete(Bucket.alarm, encodeAlarmMember(known));
    return known;
  }

  #find(memberID: bigint, alarm: number): AlarmMember | undefined {
    return this.#active.find((active) => active.memberID === memberID && active.alarm === alarm);
  }
}
