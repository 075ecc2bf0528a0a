// What large answers hold in memory, for Prometheus.

import type { Metric } from "../../api/exposition.ts";
import { gauges } from "../../api/metric-rows.ts";
import type { LargeAnswers } from "../../net/large-answers.ts";

export function largeAnswerRows(answers: LargeAnswers): Metric[] {
  return gauges({
    quorate_large_answers: ["Large ranges that are being sent.", () => answers.count],
    quorate_large_answer_bytes: [
      "Bytes of large ranges that were read and that the kernel has not taken.",
      () => answers.budget.usedBytes,
    ],
    quorate_large_answer_peak_bytes: [
      "The most that there ever was of quorate_large_answer_bytes.",
      () => answers.peakBytes,
    ],
    quorate_large_answer_limit_bytes: [
      "What quorate_large_answer_bytes never exceeds.",
      () => answers.budget.limitBytes,
    ],
  });
}
