"use strict";
require("./load.cjs").load("etcdctl");
