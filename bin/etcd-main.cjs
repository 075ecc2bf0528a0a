"use strict";
require("./load.cjs").load("etcd");
