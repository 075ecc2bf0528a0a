// All methods that a member answers, each behind the guard. What is not in the table the transport
// answers with Unimplemented.

import type { Logger } from "../base/log.ts";
import type { Member } from "../server/member.ts";
import type { Method, MethodTable } from "../wire/rpc.ts";
import { careMethods } from "./care.ts";
import { clusterMethods } from "./cluster.ts";
import { electionMethods } from "./election.ts";
import { GrpcHealth } from "./grpc-health.ts";
import { Guard } from "./guard.ts";
import { HealthChecks } from "./health-checks.ts";
import { KvService } from "./kv.ts";
import { leaseMethods } from "./lease.ts";
import { lockMethods } from "./lock.ts";
import { LockQueue } from "./lock-queue.ts";
import { maintenanceMethods } from "./maintenance.ts";
import { watchMethods } from "./watch.ts";

export class Api {
  readonly methods: MethodTable;
  readonly health: HealthChecks;
  readonly grpcHealth: GrpcHealth = new GrpcHealth();
  readonly guard: Guard;

  constructor(member: Member, log: Logger) {
    this.health = new HealthChecks(member, log);
    this.guard = new Guard(member);
    const locks = new LockQueue(member);
    const methods: [string, Method][] = [
      ...new KvService(member).methods,
      ...watchMethods(member),
      ...leaseMethods(member),
      ...lockMethods(member, locks),
      ...electionMethods(member, locks),
      ...maintenanceMethods(member),
      ...clusterMethods(member),
      ...careMethods(member),
      ...this.grpcHealth.methods,
    ];
    this.methods = new Map(
      methods.map(([path, method]) => [path, this.guard.wrap(path, method)] as const),
    );
  }
}
