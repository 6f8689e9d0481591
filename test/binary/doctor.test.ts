import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { RUNGS, SHAPES } from "../../src/cli/doctor/shapes.ts";
import { codeOf } from "../../src/errors.ts";
import { MIGRATIONS } from "../../src/store/migrations.ts";
import { eventually } from "../support/eventually.ts";
import { sqsError } from "../support/fault-proxy.ts";
import { readOnlyDirectory } from "../support/filesystems.ts";
import { isLiving } from "../support/processes.ts";
import { ENVIRONMENT, SqsServer } from "../support/sqs-server.ts";
import { existing } from "../support/temporary.ts";
import { COMPILED, forEachForm, FORMS, type Form } from "./forms.ts";
import { Place, sh, type Manner } from "./place.ts";

/** Has what is made for a while made where nobody else makes any. */
const apart = (place: Place) => ({ environment: { TMPDIR: place.of() } });
const leftovers = (place: Place): string[] =>
  readdirSync(place.of()).filter((name) => /^reeve-(?:prove|doctor)-/.test(name));

/** The living processes whose working directory is, or was, below this one. */
function workingIn(directory: string): number[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return pids.filter((pid) => isLiving(pid) && orNothing(() => readlinkSync(`/proc/${pid}/cwd`)).includes(directory));
}

function orNothing(read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES"].includes(codeOf(error) ?? "")) return "";
    throw error;
  }
}

interface Finding {
  readonly name: string;
  readonly verdict: "ok" | "note" | "wrong";
  readonly what: string;
  readonly hint?: string;
}

interface Examined {
  readonly code: number | null;
  readonly well: boolean;
  readonly checks: ReadonlyMap<string, Finding>;
}

async function examine(place: Place, manner: Manner = {}, options: readonly string[] = []): Promise<Examined> {
  const { code, stdout, stderr } = await place.run(["doctor", "--json", ...options], manner);
  if (!stdout.startsWith("{")) throw new Error(`it exited with ${code}: ${stdout}${stderr}`);
  // The program wrote it; what of it is looked at, the tests check.
  const { well, checks } = JSON.parse(stdout) as { well: boolean; checks: Finding[] };
  return { code, well, checks: new Map(checks.map((finding) => [finding.name, finding])) };
}

/** A database as another version of the program left it. */
function makeDatabase(place: Place, version: number, minReader: number): string {
  const path = `${place.store}/reeve.db`;
  using database = new Database(path, { create: true });
  for (const { sql } of MIGRATIONS.slice(0, version)) database.run(sql);
  database.run("INSERT INTO meta(name, value) VALUES('min_reader', ?)", [minReader]);
  database.run(`PRAGMA user_version = ${version}`);
  return path;
}

const emptyStore = (form: Form): Place => {
  const place = new Place(form);
  Bun.spawnSync(["mkdir", "-m", "700", place.store]);
  return place;
};

forEachForm("doctor", (form) => {
  test("says what is in force where nothing is wrong, and makes nothing", async () => {
    await using place = new Place(form);
    const { code, stdout, stderr } = await place.run(["doctor"], apart(place));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { checks, well } = await examine(place);
    expect(well).toBe(true);
    expect(stdout.match(/^(?:ok|note|wrong) /gm)).toHaveLength(checks.size);
    expect([...checks.values()].filter(({ verdict }) => verdict === "wrong")).toEqual([]);
    expect(checks.get("program")?.what).toContain(form.name === "deno" ? "deno 2." : "bun 1.");
    expect(checks.get("store")?.what).toContain(`${place.store} on `);
    expect(checks.get("workers")).toMatchObject({ verdict: "note", what: "none" });
    expect(existsSync(place.store)).toBe(false);
    expect(leftovers(place)).toEqual([]);
  });

  test("looks at an SQS queue as well, by the name that it has in reeve.toml", async () => {
    await using server = await SqsServer.start();
    const [queue] = await server.createPair({}, 2);
    await using place = new Place(form);
    place.write("reeve.toml", `[queues.main]\nurl = "${server.proxy.origin}/000000000000/${queue}"\n`);
    const { code, checks } = await examine(place, { environment: ENVIRONMENT }, ["--queue", "main"]);
    expect(code).toBe(0);
    expect(checks.get("queue")).toMatchObject({ verdict: "ok", what: expect.stringContaining(queue) });
    expect(checks.get("queue: policy")).toMatchObject({ verdict: "note", hint: expect.stringContaining("3 or more") });
    expect(checks.get("queue: clock")?.verdict).toBe("ok");
    server.proxy.decide = () => sqsError("AccessDenied", "not authorized", { status: 403 });
    const denied = await examine(place, { environment: ENVIRONMENT }, ["--queue", "main"]);
    expect({ code: denied.code, well: denied.well }).toEqual({ code: 1, well: false });
    expect(denied.checks.get("queue: receive")?.hint).toContain("sqs:ReceiveMessage");
  });
});

test.each(FORMS.filter(({ name }) => name !== "bun").map((form) => [form.name, form] as const))(
  "a proof shows that every shape dies on every rung, but for those that are known, and leaves nothing (%s)",
  async (_name, of) => {
    await using place = new Place(of);
    const { code, stdout, stderr } = await place.run(["doctor", "--prove", "--json"], apart(place));
    // The program wrote it.
    const { well, proofs } = JSON.parse(stdout) as {
      well: boolean;
      proofs: { shape: string; rung: string; kind: string; kept: boolean; known: string | null }[];
    };
    expect(proofs.filter(({ kept }) => !kept)).toEqual([]);
    expect({ code, well }).toEqual({ code: 0, well: true });
    expect(proofs.map(({ shape }) => shape)).toEqual(RUNGS.flatMap(() => SHAPES.map(({ name }) => name)));
    expect(proofs.filter(({ kind, known }) => kind === "left" && known === null)).toEqual([]);
    expect(proofs.filter(({ rung, kind }) => rung === "marks" && kind === "dies").length).toBeGreaterThan(10);
    expect(stderr).toContain(`marks: ${SHAPES.length} of ${SHAPES.length} shapes`);
    expect(place.processes()).toEqual([]);
    expect(leftovers(place)).toEqual([]);
  },
);

const form = COMPILED;

test("a proof that is interrupted ends what it started, and dies by the signal", async () => {
  await using place = new Place(form);
  const proof = place.start(["doctor", "--prove"], apart(place));
  const [directory = ""] = await eventually("it has begun", () => {
    const made = leftovers(place);
    return made.length > 0 && workingIn(made[0] ?? "").length > 20 && made;
  });
  proof.signal("SIGINT");
  expect(await proof.ended).toMatchObject({ code: null, signal: "SIGINT", stdout: "" });
  expect(workingIn(directory)).toEqual([]);
  expect(place.processes()).toEqual([]);
  expect(leftovers(place)).toEqual([]);
});

test("the proof is a table of shapes and rungs for people", async () => {
  await using place = new Place(existing(FORMS.find(({ name }) => name === "bun")));
  const table = await place.ok("doctor", "--prove");
  expect(table).toMatch(/^A JOB WITH +CGROUP +/);
  for (const { name } of SHAPES) expect(table).toContain(`${name}  `);
  expect(table).toMatch(/^children of a shell .*dies$/m);
});

test("a store that cannot be written is wrong", async () => {
  using directory = readOnlyDirectory();
  await using place = new Place(form, directory.path);
  const { code, checks } = await examine(place);
  expect(code).toBe(1);
  expect(checks.get("store")).toMatchObject({ verdict: "wrong", hint: expect.stringContaining("permissions") });
});

test("a configuration that is wrong is told, and the rest is looked at all the same", async () => {
  await using place = new Place(form);
  place.write("reeve.toml", "[worker]\nconcurency = 3\n");
  const { code, checks } = await examine(place);
  expect(code).toBe(1);
  expect(checks.get("configuration")).toMatchObject({ verdict: "wrong" });
  expect(checks.get("configuration")?.what).toContain("reeve.toml:2");
  expect(checks.get("store")?.verdict).toBe("ok");
});

test("a database of a version that cannot be worked on is wrong, and is left as it is", async () => {
  await using place = emptyStore(form);
  const path = makeDatabase(place, MIGRATIONS.length, 99);
  new Database(path).run("PRAGMA user_version = 99");
  const bytes = readFileSync(path);
  const { code, checks } = await examine(place);
  expect(code).toBe(1);
  expect(checks.get("database")).toMatchObject({ verdict: "wrong", hint: expect.stringContaining("newer binary") });
  expect(readFileSync(path).equals(bytes)).toBe(true);
});

test.each([
  [MIGRATIONS.length + 3, "a newer version made it, and this one can work on it"],
  [1, "the next verb that opens it brings it up to date"],
])("a database of version %i is told, and is left as it is", async (version, sentence) => {
  await using place = emptyStore(form);
  const path = makeDatabase(place, Math.min(version, MIGRATIONS.length), 1);
  new Database(path).run(`PRAGMA user_version = ${version}`);
  const { code, checks } = await examine(place);
  expect(code).toBe(0);
  expect(checks.get("database")).toMatchObject({ verdict: "note", what: expect.stringContaining(sentence) });
  using database = new Database(path, { readonly: true });
  expect(database.query("PRAGMA user_version").get()).toEqual({ user_version: version });
});

test("a database that is damaged is wrong", async () => {
  await using place = emptyStore(form);
  await Bun.write(`${place.store}/reeve.db`, "no database at all ".repeat(100));
  const { code, checks } = await examine(place);
  expect(code).toBe(1);
  expect(checks.get("database")).toMatchObject({ verdict: "wrong", what: expect.stringContaining("damaged") });
});

test("workers are alive or dead by their locks; jobs of a dead one that nobody sees to are wrong", async () => {
  await using place = new Place(form);
  await place.submit(...sh("echo $$ > pid; exec sleep 1000"));
  const worker = await place.worker();
  await place.file("pid");
  const alive = (await examine(place)).checks.get("workers");
  expect(alive?.verdict).toBe("ok");
  expect(alive?.what).toMatch(new RegExp(`^1 alive: \\S+ \\(pid ${worker.pid}, 1 job\\)$`));
  worker.signal("SIGKILL");
  await worker.ended;
  const { code, checks } = await examine(place);
  expect(code).toBe(1);
  expect(checks.get("workers")).toMatchObject({
    verdict: "wrong",
    what: expect.stringMatching(/1 dead: .*1 job left/),
  });
  await place.worker();
  await eventually("the next has recovered it", async () => {
    const now = (await examine(place)).checks.get("workers");
    return now?.verdict === "ok" && !now.what.includes("dead");
  });
});

test("a clock that is behind what was recorded is wrong", async () => {
  await using place = new Place(form);
  const id = await place.submit("--", "true");
  const database = new Database(`${place.store}/reeve.db`);
  database.run("UPDATE jobs SET created_at = created_at + 3600000 WHERE id = ?", [id]);
  database.close();
  const { code, checks } = await examine(place);
  expect(code).toBe(1);
  expect(checks.get("clock")).toMatchObject({ verdict: "wrong", hint: expect.stringContaining("set the clock") });
});

test("too few open files are wrong", async () => {
  await using place = new Place(form);
  const { code, checks } = await examine(place, { under: ["prlimit", "--nofile=70:70"] });
  expect(code).toBe(1);
  expect(checks.get("open files")).toMatchObject({ verdict: "wrong", hint: expect.stringContaining("LimitNOFILE") });
});

test("a /proc of another pid namespace is wrong, and nothing is proved with it", async () => {
  await using place = new Place(form);
  const under = ["unshare", "--map-root-user", "--user", "--pid", "--fork", "--kill-child"];
  const { code, checks } = await examine(place, { under });
  expect(code).toBe(1);
  expect(checks.get("/proc")).toMatchObject({ verdict: "wrong" });
  const proof = await place.run(["doctor", "--prove", "--json"], { under });
  expect(proof.stdout).toContain("/proc does not show");
  expect(proof.stdout).not.toContain('"dies"');
});

test("control groups that are not wanted, or cannot be had, are told with the reason", async () => {
  await using place = new Place(form);
  place.write("reeve.toml", '[worker]\ncontainment = "marks"\n');
  expect((await examine(place)).checks.get("containment")).toMatchObject({
    verdict: "ok",
    what: expect.stringContaining("marks only"),
  });
  const hidden = ["unshare", "--mount", "sh", "-c", 'umount --lazy --all --types cgroup2; exec "$@"', "sh"];
  const { code, checks } = await examine(place, { under: hidden, environment: { REEVE_CONTAINMENT: "cgroup" } });
  expect(code).toBe(1);
  expect(checks.get("containment")).toMatchObject({ verdict: "wrong", what: expect.stringContaining("cannot be had") });
});
