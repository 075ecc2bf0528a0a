"use strict";
const { setFlagsFromString } = require("node:v8");

// V8 looks for garbage in all of its memory when a few megabytes have come: with a large database
// every two seconds, 20 to 40 ms each, and that was the longest that a put had to wait. Now it
// waits until as much has come as is in use, which is how Go does it (GOGC=100).
setFlagsFromString("--heap-growing-percent=100");
require("./load.cjs").load("etcd");
