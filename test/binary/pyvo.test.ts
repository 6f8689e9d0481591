import { expect, test } from "bun:test";
import { join } from "node:path";
import { within } from "../support/eventually.ts";
import { forEachForm } from "./forms.ts";
import { describeDone, Place } from "./place.ts";
import { Serving } from "./serving.ts";

/** Debian's: its packages are this one's only. */
const PYTHON = "/usr/bin/python3";
const SCRIPT = join(import.meta.dirname, "../fixtures/with-pyvo.py");
const PATIENCE_MS = 100_000;

/** pyvo knows TAP's jobs only, which are those of a service called `async` with a QUERY. */
const DEFINITIONS = `
[jobs.async]
command = ["sh", "-c", '''
case "$1" in fail) exit 7;; sleep) sleep 600;; esac
cat > "$REEVE_RESULTS/table.xml" <<END
<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">
<INFO name="QUERY_STATUS" value="OK"/><TABLE><FIELD name="query" datatype="char" arraysize="*"/>
<DATA><TABLEDATA><TR><TD>$1</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>
END
echo '{"result":{"id":"result","path":"table.xml","type":"application/x-votable+xml"}}' >&3''', "sh", "{param.query}"]
params.query = { type = "string", required = true }
`;

function mustHavePyvo(): void {
  const { success, stderr } = Bun.spawnSync([PYTHON, "-c", "import pyvo"], { stderr: "pipe" });
  if (!success) throw new Error(`cannot here: python3-pyvo of Debian (${stderr.toString().trim().split("\n").at(-1)})`);
}

forEachForm("pyvo", (form) => {
  test("drives a job from its creation to its result, and aborts and deletes others", async () => {
    mustHavePyvo();
    await using place = new Place(form);
    place.write("reeve.toml", DEFINITIONS);
    const at = await Serving.start(place, ["--concurrency", "2"]);
    const done = await within(
      "pyvo is done",
      place.startProgram([PYTHON, "-W", "ignore", SCRIPT, at.base]).ended,
      PATIENCE_MS,
    );
    expect(describeDone(["pyvo"], done)).toContain("done\n");
    expect(done.code).toBe(0);
    expect(at.running.log().filter(({ event }) => event === "request failed")).toEqual([]);
  });
});
