/** An idle program with one open database: `idle FILE`. */
import { Database } from "bun:sqlite";

const database = new Database(process.argv[2] ?? ":memory:");
database.run("PRAGMA journal_mode = WAL");
database.run("CREATE TABLE IF NOT EXISTS one(value INTEGER)");
setInterval(() => database.run("SELECT 1"), 2 ** 30);
