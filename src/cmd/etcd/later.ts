// Options whose features are not there yet are refused with a sentence: a server that quietly does
// less than it was told to is worse than one that does not start.

import type { EtcdConfig } from "./config.ts";
import { FEATURE_GATES, type FeatureGate, gateEnabled } from "./feature-gates.ts";
import { FLAGS, type FlagValues } from "./flag-table.ts";

/**
 * Gates that stay as they are for now. TxnModeWriteWithSharedBuffer, FastLeaseKeepAlive (it is
 * fast without) and LeaseCheckpointPersist (for databases of etcd 3.5) have no effect to miss.
 */
const FIXED_GATES: Readonly<Partial<Record<FeatureGate, string>>> = {
  PriorityRequest: "it comes later",
  StopGRPCServiceOnDefrag: "it comes later",
};

export function refusal(config: EtcdConfig, values: FlagValues): string | undefined {
  for (const flag of FLAGS) {
    if (flag.later === undefined || values.isDefault(flag)) continue;
    const setting = `--${flag.name}=${values.show(flag)}`;
    return `${setting} is not supported in this version: ${flag.later}`;
  }
  return refusedGate(config) ?? refusedValue(config);
}

function refusedGate(config: EtcdConfig): string | undefined {
  for (const gate of Object.keys(FIXED_GATES) as FeatureGate[]) {
    const enabled = gateEnabled(config.featureGates, gate);
    if (enabled !== FEATURE_GATES[gate].initial) {
      return `feature gate ${gate}=${enabled} is not supported in this version: ${FIXED_GATES[gate]}`;
    }
  }
  return undefined;
}

function refusedValue(config: EtcdConfig): string | undefined {
  if (/^jwt\b/.test(config.authToken)) {
    return (
      `--auth-token=${config.authToken} is not supported in this version: ` +
      "users, roles and tokens come later"
    );
  }
  if (config.logOutputs.includes("systemd/journal")) {
    return (
      "--log-outputs=systemd/journal is not supported in this version: " +
      "the journal takes stderr as well; use --log-outputs=stderr"
    );
  }
  return undefined;
}
