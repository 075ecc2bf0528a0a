// A transcript: commands, and what the reference programs answered. It is the script and the
// expectation in one text file, so that recording again is replacing the answers, and reviewing a
// change is reading its diff.
//
//     # a comment
//     do: server --quota-backend-bytes 2097152      something before the next step, not recorded
//
//     === 007
//     $ etcdctl put foo new --prev-kv               or: $ POST /v3/kv/put, then "> " lines
//     stdin:                                        and other lines of the input
//     | text
//     during: etcdctl put w1 a                      done while the program runs …
//     signal: SIGINT                                … which then gets this
//     background: NAME                              goes on until `do: interrupt NAME` or `await`
//     grants: LEASE1                                the lease that comes with it has this name
//     stdout:                                       from here on: the answer
//     | OK
//     stderr:
//     exit: 0

export interface Step {
  readonly kind: "step";
  readonly number: string;
  /** The command behind `$ `. */
  readonly command: string;
  /** What follows the command and is not yet the answer. */
  readonly input: readonly string[];
  readonly answer: readonly string[];
}

/** A comment, an empty line, or something to do. */
export interface Other {
  readonly kind: "comment" | "do";
  readonly text: string;
}

export type Item = Step | Other;

const ANSWER = /^(?:stdout|stderr|exit|status|header|body|files|tree)\b/;

export function parseTranscript(text: string): Item[] {
  const items: Item[] = [];
  const lines = text.trimEnd().split("\n");
  for (let at = 0; at < lines.length; ) {
    const line = lines[at++]!;
    const number = /^=== (\w+)$/.exec(line)?.[1];
    if (number !== undefined) {
      const end = lines.indexOf("", at);
      const block = lines.slice(at, end < 0 ? lines.length : end);
      at += block.length;
      items.push(parseStep(number, block));
    } else if (line.startsWith("do: ")) {
      items.push({ kind: "do", text: line.slice(4) });
    } else if (line !== "") {
      if (!line.startsWith("#")) throw new Error(`line ${at} of a transcript: ${line}`);
      items.push({ kind: "comment", text: line });
    }
  }
  return items;
}

function parseStep(number: string, block: readonly string[]): Step {
  const [first = "", ...rest] = block;
  if (!first.startsWith("$ ")) throw new Error(`step ${number} has no command`);
  const found = rest.findIndex((line) => ANSWER.test(line));
  const split = found < 0 ? rest.length : found;
  return {
    kind: "step",
    number,
    command: first.slice(2),
    input: rest.slice(0, split),
    answer: rest.slice(split),
  };
}

export function showTranscript(items: readonly Item[]): string {
  const parts: string[] = [];
  let count = 0;
  let before = "";
  for (const item of items) {
    if (item.kind === "step") {
      count++;
      const number = String(count).padStart(3, "0");
      parts.push(
        ["", `=== ${number}`, `$ ${item.command}`, ...item.input, ...item.answer].join("\n"),
      );
    } else {
      const text = item.kind === "do" ? `do: ${item.text}` : item.text;
      parts.push(before === "step" ? `\n${text}` : text);
    }
    before = item.kind;
  }
  return `${parts.join("\n").trimStart()}\n`;
}

/** The words of a command line as a shell takes them; only quotes and backslashes are special. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  const word = /\s*((?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+)/gy;
  for (let match = word.exec(line); match !== null; match = word.exec(line)) {
    words.push(
      match[1]!.replace(
        /\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/g,
        (_, escaped, double, single) =>
          escaped ?? (double === undefined ? single : double.replace(/\\(["\\])/g, "$1")),
      ),
    );
  }
  return words;
}
