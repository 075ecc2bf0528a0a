// A source file as the checks see it: its text, and its code, which is the text with everything
// blanked that is not code (comments, the insides of strings, templates and regular expressions).
// Positions and lines are the same in both, so that a word in a comment is never taken for code.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export interface SourceFile {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly code: string;
}

export interface Violation {
  readonly path: string;
  readonly line: number;
  readonly what: string;
}

export function sourceFile(path: string, text: string): SourceFile {
  return { path, text, code: blank(text) };
}

export function isTest(path: string): boolean {
  return !path.startsWith("src/") || path.endsWith(".test.ts") || path.includes("/testing/");
}

export function isGenerated(path: string): boolean {
  return path.startsWith("src/wire/messages/") || path === "src/wire/services.ts";
}

export function violation(file: SourceFile, position: number, what: string): Violation {
  return { path: file.path, line: lineAt(file.text, position), what };
}

export function lineAt(text: string, position: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < position; at = text.indexOf("\n", at + 1)) {
    line++;
  }
  return line;
}

/** Every place where a pattern (with the g flag) occurs in the code. */
export function matches(file: SourceFile, pattern: RegExp, what: string): Violation[] {
  return [...file.code.matchAll(pattern)].map((match) => violation(file, match.index, what));
}

/** One line each, as an editor takes them. */
export function show(violations: readonly Violation[]): string {
  return violations.map(({ path, line, what }) => `${path}:${line}: ${what}`).join("\n");
}

/** The folder of package.json, from the sources and from dist/ alike. */
export function findRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!readdirSync(directory).includes("package.json")) directory = dirname(directory);
  return directory;
}

const SKIPPED = new Set(["node_modules", "dist", ".git", ".work", ".ci-work"]);

/** Paths from the root of all files below `folder` with one of the endings, sorted. */
export function listFiles(root: string, folder: string, endings: readonly string[]): string[] {
  const found: string[] = [];
  const visit = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (SKIPPED.has(entry.name)) continue;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (endings.some((ending) => entry.name.endsWith(ending))) {
        found.push(relative(root, path).split(sep).join("/"));
      }
    }
  };
  visit(join(root, folder));
  return found.sort();
}

export function readSources(root: string, folders: readonly string[]): SourceFile[] {
  return folders.flatMap((folder) =>
    listFiles(root, folder, [".ts"]).map((path) =>
      sourceFile(path, readFileSync(join(root, path), "utf8")),
    ),
  );
}

// ---------------------------------------------------------------- blanking

// One piece of source per match: a comment, a string, the start of a template, or a slash.
const PIECE =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`|[{}]|\/(?=[^/*])/g;
const REGULAR_EXPRESSION = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
/** A slash behind one of these begins a regular expression; behind anything else it divides. */
const BEFORE_EXPRESSION =
  /(?:^|[=(,:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|do|else))\s*$/;

function blank(text: string): string {
  const out: string[] = [];
  // For each open template: how many braces are open inside its ${ }.
  const templates: number[] = [];
  let at = 0;
  const keep = (end: number) => {
    out.push(text.slice(at, end));
    at = end;
  };
  const hide = (end: number) => {
    out.push(text.slice(at, end).replace(/[^\n]/g, " "));
    at = end;
  };
  PIECE.lastIndex = 0;
  for (let match = PIECE.exec(text); match !== null; match = PIECE.exec(text)) {
    const piece = match[0];
    keep(match.index);
    if (piece === "`") {
      hide(templateEnd(text, at + 1, templates));
    } else if (piece === "{") {
      if (templates.length > 0) templates[templates.length - 1]!++;
      keep(at + 1);
    } else if (piece === "}") {
      if (templates.at(-1) === 0) {
        templates.pop();
        hide(templateEnd(text, at + 1, templates));
      } else {
        if (templates.length > 0) templates[templates.length - 1]!--;
        keep(at + 1);
      }
    } else if (piece === "/") {
      REGULAR_EXPRESSION.lastIndex = at;
      const before = out.join("").slice(-40);
      const found = BEFORE_EXPRESSION.test(before) ? REGULAR_EXPRESSION.exec(text) : null;
      if (found === null) keep(at + 1);
      else hide(at + found[0].length);
    } else if (piece[0] === "/") {
      hide(at + piece.length);
    } else {
      keep(at + 1);
      hide(match.index + piece.length - 1);
      keep(match.index + piece.length);
    }
    PIECE.lastIndex = at;
  }
  keep(text.length);
  return out.join("");
}

/** Behind the closing quote, or behind the next `${`, which then is open. */
function templateEnd(text: string, from: number, templates: number[]): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "`") return at + 1;
    else if (text[at] === "$" && text[at + 1] === "{") {
      templates.push(0);
      return at + 2;
    }
  }
  return text.length;
}
