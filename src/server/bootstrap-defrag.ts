// --bootstrap-defrag-threshold-megabytes: a start is the moment at which nobody waits for answers.

import { humanSize } from "../base/human-size.ts";
import type { Logger } from "../base/log.ts";
import type { Backend } from "../storage/backend.ts";
import { sizeFields } from "../storage/size-fields.ts";
import type { MemberOptions } from "./options.ts";

/** Gives free pages back when there are at least as many bytes of them as the threshold. */
export function defragmentAtStart(
  backend: Backend,
  options: Pick<MemberOptions, "bootstrapDefragThresholdBytes">,
  log: Logger,
): void {
  const thresholdBytes = options.bootstrapDefragThresholdBytes;
  if (thresholdBytes === 0) return;
  const { sizeBytes, sizeInUseBytes } = backend;
  if (sizeBytes - sizeInUseBytes >= thresholdBytes) {
    backend.defragmentNow();
    return;
  }
  log.info("Skipping defragmentation", {
    ...sizeFields(sizeBytes, sizeInUseBytes),
    "bootstrap-defrag-threshold-bytes": thresholdBytes,
    "bootstrap-defrag-threshold": humanSize(thresholdBytes),
  });
}
