"use strict";
require("./load.cjs").load("etcdutl");
