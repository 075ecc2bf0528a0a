// One HTTP request of a transcript:
//
//     $ POST /v3/kv/put          (`port: peer` for the port of the members)
//     > Origin: http://h         headers, and what is no header is the body
//     > {"key":"Zm9v"}

import type { Normaliser } from "./normalise.ts";
import { type HttpAnswer, request } from "./raw-http.ts";
import { option, type Setting } from "./run-program.ts";
import { type Step, splitWords } from "./transcript.ts";

const TIMEOUT_MS = 5000;

export async function performHttp(
  step: Step,
  setting: Setting,
  normaliser: Normaliser,
): Promise<string[]> {
  const [method = "", path = ""] = splitWords(step.command);
  const given = step.input.filter((line) => line.startsWith("> ") || line === ">");
  const headers: (readonly [string, string])[] = [];
  let body: string | undefined;
  for (const line of given.map((one) => normaliser.expand(one.slice(2)))) {
    const header = /^([A-Z][\w-]*): (.*)$/.exec(line);
    if (header === null || body !== undefined) body = (body ?? "") + line;
    else headers.push([header[1]!, header[2]!]);
  }
  const times = option(step, "body-times");
  if (times !== undefined) body = repeatedBody(times);
  const port = option(step, "port") === "peer" ? setting.peerPort : setting.clientPort;
  try {
    const options = { port, method, path: normaliser.expand(path), headers, body };
    const timeoutSeconds = option(step, "timeout");
    const timeoutMs = timeoutSeconds === undefined ? TIMEOUT_MS : Number(timeoutSeconds) * 1000;
    const answer = await request({ ...options, timeoutMs });
    return answerOf(answer, step, path, normaliser);
  } catch (error) {
    return [`status: none (${(error as Error).message})`];
  }
}

/** `body-times: 3 {"value":"@"} YWFh`: the text with @ replaced by so many of the last word. */
function repeatedBody(times: string): string {
  const [count = "", template = "", unit = ""] = times.split(" ");
  return template.replace("@", unit.repeat(Number(count)));
}

function answerOf(answer: HttpAnswer, step: Step, path: string, normaliser: Normaliser): string[] {
  const lines = [`status: ${answer.status} ${answer.reason}`.trimEnd()];
  for (const [name, value] of answer.headers) {
    let shown = normaliser.line(value);
    if (name === "Date") shown = "<DATE>";
    else if (name === "Content-Length" && answer.status === 200) shown = "<LEN>";
    lines.push(`header: ${name}: ${shown}`);
  }
  return [...lines, ...bodyLines(answer, step, path, normaliser)];
}

function bodyLines(answer: HttpAnswer, step: Step, path: string, normaliser: Normaliser): string[] {
  const block = (label: string, lines: readonly string[]) => [
    label,
    ...lines.map((line) => (line === "" ? "|" : `| ${line}`)),
  ];
  const { body } = answer;
  if (path === "/metrics" && answer.status === 200 && body.length > 0) {
    return block("body:", ["<METRICS>"]);
  }
  if (option(step, "show") === "keys" && answer.status === 200) {
    return block("body (keys):", Object.keys(JSON.parse(body.toString("utf8"))).sort());
  }
  if (/^\/(livez|readyz)/.test(path) && body.includes("[")) {
    // The checks come in no fixed order.
    const all = body.toString("utf8").split(/(?<=\n)/);
    const checks = all.filter((line) => line.startsWith("["));
    checks.sort((a, b) => (a.slice(3) < b.slice(3) ? -1 : 1));
    const rest = all.filter((line) => !line.startsWith("["));
    const sorted = Buffer.from([...checks, ...rest].join(""));
    return block("body (checks sorted):", normaliser.lines(sorted));
  }
  return block("body:", normaliser.lines(body));
}
