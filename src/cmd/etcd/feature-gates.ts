// Feature gates: `--feature-gates=Name=true,Other=false`, in the manner of Kubernetes.

import { ParseError, parseBool } from "../flags/go-text.ts";

export type FeatureGate =
  | "CompactHashCheck"
  | "FastLeaseKeepAlive"
  | "InitialCorruptCheck"
  | "LeaseCheckpoint"
  | "LeaseCheckpointPersist"
  | "PriorityRequest"
  | "SetMemberLocalAddr"
  | "StopGRPCServiceOnDefrag"
  | "TxnModeWriteWithSharedBuffer";

export interface FeatureSpec {
  readonly stage: "ALPHA" | "BETA";
  readonly initial: boolean;
}

export const FEATURE_GATES: Readonly<Record<FeatureGate, FeatureSpec>> = {
  CompactHashCheck: { stage: "ALPHA", initial: false },
  FastLeaseKeepAlive: { stage: "BETA", initial: true },
  InitialCorruptCheck: { stage: "ALPHA", initial: false },
  LeaseCheckpoint: { stage: "ALPHA", initial: false },
  LeaseCheckpointPersist: { stage: "ALPHA", initial: false },
  PriorityRequest: { stage: "ALPHA", initial: false },
  SetMemberLocalAddr: { stage: "ALPHA", initial: false },
  StopGRPCServiceOnDefrag: { stage: "ALPHA", initial: false },
  TxnModeWriteWithSharedBuffer: { stage: "BETA", initial: true },
};

/** What was set by name, and by AllAlpha and AllBeta; the rest has its default. */
export type GateSettings = ReadonlyMap<string, boolean>;

export function gateEnabled(settings: GateSettings, gate: FeatureGate): boolean {
  return settings.get(gate) ?? FEATURE_GATES[gate].initial;
}

/** @throws ParseError */
export function parseGates(text: string): GateSettings {
  const settings = new Map<string, boolean>();
  for (const pair of text.split(",")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = (equals < 0 ? pair : pair.slice(0, equals)).trim();
    if (equals < 0) throw new ParseError(`missing bool value for ${name}`);
    settings.set(name, parseSetting(name, pair.slice(equals + 1).trim()));
  }
  for (const name of settings.keys()) {
    if (name !== "AllAlpha" && name !== "AllBeta" && !Object.hasOwn(FEATURE_GATES, name)) {
      throw new ParseError(`unrecognized feature gate: ${name}`);
    }
  }
  // A gate that was named keeps its own setting, whatever its group is set to.
  for (const [name, spec] of Object.entries(FEATURE_GATES)) {
    const group = settings.get(spec.stage === "ALPHA" ? "AllAlpha" : "AllBeta");
    if (group !== undefined && !settings.has(name)) settings.set(name, group);
  }
  return settings;
}

function parseSetting(name: string, value: string): boolean {
  try {
    return parseBool(value);
  } catch (error) {
    throw new ParseError(`invalid value of ${name}=${value}, err: ${(error as Error).message}`);
  }
}

export function showGates(settings: GateSettings): string {
  return [...settings]
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(",");
}
