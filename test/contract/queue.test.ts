import { sqliteMaker } from "../support/sqlite-queue.ts";
import { testOnBothRuntimes } from "./both-runtimes.ts";
import { QUEUE_CASES } from "./queue.ts";

testOnBothRuntimes("the embedded queue", QUEUE_CASES, sqliteMaker, "queue-main.ts");
