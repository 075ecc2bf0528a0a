"use strict";
// Starts one of the three programs. CommonJS, because the size of libuv's thread pool has to be
// set before the first asynchronous file access, which loading an ES module already is.
const { existsSync } = require("node:fs");
const { enableCompileCache } = require("node:module");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");

// WAL writes, backend writes, syncs and name look-ups must not wait for one another.
process.env.UV_THREADPOOL_SIZE ??= "8";

exports.load = (program) => {
  const main = join(__dirname, "..", "dist", "src", "cmd", program, "main.js");
  if (!existsSync(main)) {
    process.stderr.write(`${program}: not built yet: run "npm run build" in ${join(__dirname, "..")}\n`);
    process.exit(1);
  }
  // Node 22 and later keep what V8 made of the modules; where it cannot write, nothing happens.
  enableCompileCache?.(join(__dirname, "..", "dist", ".compiled"));
  import(pathToFileURL(main).href);
};
