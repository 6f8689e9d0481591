/**
 * The pages in a real browser, without its window: Debian's chromium, driven by playwright-core. With
 * `REEVE_SCREENSHOTS=DIRECTORY` it leaves pictures of them there.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { eventually } from "../support/eventually.ts";
import { isLiving } from "../support/processes.ts";
import { COMPILED } from "./forms.ts";
import { Place } from "./place.ts";
import { idOf, Serving } from "./serving.ts";

setDefaultTimeout(120_000);

const CHROMIUM = process.env["REEVE_CHROMIUM"] ?? "/usr/bin/chromium";
const PICTURES = process.env["REEVE_SCREENSHOTS"];

const DEFINITIONS = `
[jobs.preview]
description = "Draws a small picture of a part of the sky, step by step."
command = ["sh", "-c", '''
for step in 1 2 3 4 5; do
  echo "step $step of 5 for $1 at $2 px"
  echo "{\\"progress\\":0.$((step * 2 - 1)),\\"message\\":\\"step $step of 5\\"}" >&3
  until [ -e "go$step" ]; do sleep 0.05; done
done
printf '%s' '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 200"><rect width="320" height="200" fill="#0b1020"/><g fill="#fff"><circle cx="40" cy="40" r="1.5"/><circle cx="90" cy="150" r="1"/><circle cx="270" cy="50" r="1.6"/><circle cx="230" cy="160" r="1.2"/><circle cx="130" cy="30" r="1"/></g><g transform="rotate(-24 160 100)"><ellipse cx="160" cy="100" rx="110" ry="30" fill="#8fa8ff" opacity=".25"/><ellipse cx="160" cy="100" rx="70" ry="18" fill="#c9d5ff" opacity=".4"/><ellipse cx="160" cy="100" rx="20" ry="9" fill="#fff7e0"/></g></svg>' > "$REEVE_RESULTS/map.svg"
echo '{"result":{"id":"map","path":"map.svg","type":"image/svg+xml"}}' >&3
printf 'name,ra,dec\\nM31,10.68,41.27\\n' > "$REEVE_RESULTS/sources.csv"
echo done''', "sh", "{param.target}", "{param.width}"]
params.target = { type = "string", required = true, description = "What to look at: a name, or a position.", max_length = 60 }
params.width = { type = "integer", default = 800, min = 16, max = 4096, description = "In pixels." }
params.scale = { type = "string", choices = ["linear", "log", "asinh"], default = "asinh" }
params.bands = { type = "strings", description = "Filters to combine." }
params.grid = { type = "boolean", default = false }

[jobs.shout]
description = "Says what is in a file, aloud."
command = ["sh", "-c", 'tr a-z A-Z < "$1"; tr a-z A-Z < "$1" > "$REEVE_RESULTS/loud.txt"', "sh", "{param.text}"]
params.text = { type = "file", required = true, description = "Any text." }

[jobs.greet]
command = ["sh", "-c", 'echo "hello $1" > "$REEVE_RESULTS/greeting.txt"', "sh", "{param.name}"]
params.name = { type = "string", default = "world" }

[jobs.sleep]
description = "Does nothing, for a long time."
command = ["sh", "-c", "echo $$ > pid; exec sleep 600"]
`;

interface At extends Disposable {
  readonly place: Place;
  readonly at: Serving;
  readonly browser: Browser;
}

let there: At | null = null;

async function begin(): Promise<At> {
  if (!existsSync(CHROMIUM)) {
    throw new Error(
      `cannot here: chromium (${CHROMIUM} is not there; apt-get install chromium, or REEVE_CHROMIUM=PATH)`,
    );
  }
  const place = new Place(COMPILED);
  place.write("reeve.toml", DEFINITIONS);
  const at = await Serving.start(place, ["--concurrency", "2"]);
  // A sandbox within a container is not to be had, and the pages are our own.
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  return { place, at, browser, [Symbol.dispose]: () => {} };
}

beforeAll(async () => {
  there = await begin();
});
afterAll(async () => {
  await there?.browser.close();
  await there?.place[Symbol.asyncDispose]();
});

function here(): At {
  if (!there) throw new Error("nothing has begun");
  return there;
}

const DESKTOP = { width: 1280, height: 860 };
const PHONE = { width: 390, height: 844 };

/** A page of a fresh browser, and what it complained of. */
async function look(options: Parameters<Browser["newContext"]>[0] = {}) {
  const context: BrowserContext = await here().browser.newContext({ viewport: DESKTOP, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() };
}

async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES !== undefined) await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}

/** Nothing of a page is wider than the screen. */
const overhang = (page: Page): Promise<number> =>
  page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");

const phaseOf = (page: Page): Promise<string | null> => page.getAttribute("#state", "data-phase");

test("a job is made by the form, watched, and its result opened", async () => {
  const { at, place } = here();
  await using looking = await look();
  const { page, complaints } = looking;
  await page.goto(`${at.base}/`);
  await page.click("text=preview");
  await page.click("summary:has-text('New job')");
  // The browser itself asks for what is required.
  await page.click("button:has-text('Run')");
  expect(page.url()).toBe(`${at.base}/preview`);
  await page.fill("[name=target]", "M 31 <b>&</b>");
  await page.fill("[name=width]", "640");
  await page.selectOption("[name=scale]", "log");
  await page.locator("[name=bands]").nth(0).fill("g");
  await page.locator("[name=bands]").nth(1).fill("r");
  await page.locator("[name=bands]").nth(2).fill("i");
  await picture(page, "form-desktop");
  await page.click("button:has-text('Run')");
  await page.waitForSelector("#state[data-phase=EXECUTING]");
  for (const [step, shown] of [
    [1, "10 %"],
    [2, "30 %"],
    [3, "50 %"],
  ] as const) {
    // prettier-ignore
    await page.waitForSelector(`#state .progress:has-text('${shown}')`);
    await page.waitForSelector(`#log:has-text('step ${step} of 5 for M 31 <b>&</b> at 640 px')`);
    if (step < 3) place.write(`go${step}`, "");
  }
  await picture(page, "running-desktop");
  for (const step of [3, 4, 5]) place.write(`go${step}`, "");
  await page.waitForSelector("#state[data-phase=COMPLETED]");
  await eventually("the picture is shown", async () => Number(await page.evaluate(WIDTH)) > 0);
  await picture(page, "completed-desktop");
  await page.setViewportSize(PHONE);
  expect(await overhang(page)).toBe(0);
  await picture(page, "completed-phone");
  await page.setViewportSize(DESKTOP);
  await page.click("#results img");
  await eventually("the result is open", async () => page.url().endsWith("/results/map"));
  expect(complaints).toEqual([]);
});

test("a file is uploaded by the form, and what the job makes of it is a click away", async () => {
  const { at } = here();
  await using looking = await look();
  const { page, complaints } = looking;
  await page.goto(`${at.base}/shout`);
  await page.click("summary:has-text('New job')");
  await page.setInputFiles("[name=text]", {
    name: "a b.txt",
    mimeType: "text/plain",
    buffer: Buffer.from("quietly\n"),
  });
  await page.click("button:has-text('Run')");
  await page.waitForSelector("#state[data-phase=COMPLETED]");
  await page.waitForSelector("#log:has-text('QUIETLY')");
  expect(await page.title()).toStartWith("COMPLETED ");
  await page.click("#results a:has-text('loud.txt')");
  await eventually("the result is open", async () => (await page.textContent("body")) === "QUIETLY\n");
  await page.goBack();
  await page.click("#parameters a");
  await eventually("what was uploaded is open", async () => (await page.textContent("body")) === "quietly\n");
  expect(complaints).toEqual([]);
});

test("a page of a job that somebody deletes says so", async () => {
  const { at } = here();
  await using looking = await look();
  const { page, complaints } = looking;
  const job = await at.make("sleep");
  await page.goto(job);
  await page.waitForSelector("#pulse[data-state=live]");
  await at.post(job, { ACTION: "DELETE" });
  await page.waitForSelector("#pulse[data-state=gone]:has-text('deleted')");
  expect(await page.textContent("#state")).toContain("PENDING");
  expect(complaints).toEqual([]);
});

test("a page is true again when the server has been away", async () => {
  await using place = new Place(COMPILED);
  place.write("reeve.toml", DEFINITIONS);
  const first = await Serving.start(place);
  const job = await first.make("sleep");
  await using looking = await look();
  const { page } = looking;
  await page.goto(job);
  await page.waitForSelector("#pulse[data-state=live]");
  first.running.signal("SIGTERM");
  await first.running.ended;
  await page.waitForSelector("#pulse[data-state=lost]");
  await place.ok("abort", job.slice(job.lastIndexOf("/") + 1));
  const second = place.start(["serve", "--listen", new URL(first.base).host]);
  await second.says('"service started"');
  await page.waitForSelector("#state[data-phase=ABORTED]");
  await page.waitForSelector("#pulse[data-state=live]");
});

test("a job is aborted by its button, and its processes end", async () => {
  const { at, place } = here();
  await using looking = await look();
  const { page, complaints } = looking;
  await page.goto(await at.make("sleep", { PHASE: "RUN" }));
  await page.waitForSelector("#state[data-phase=EXECUTING]");
  const pid = await eventually("it has a process", () => Number(place.read("pid")) || null);
  await page.click("button:has-text('Abort')");
  await page.waitForSelector("#state[data-phase=ABORTED]");
  await eventually("its process has ended", () => !isLiving(pid));
  page.on("dialog", (dialog) => void dialog.accept());
  await page.click("button:has-text('Delete')");
  await page.waitForURL(`${at.base}/sleep?LAST=10`);
  expect(complaints).toEqual([]);
});

test("what another makes appears in a list by itself, and who reads is not disturbed", async () => {
  const { at } = here();
  await using looking = await look();
  const { page } = looking;
  await page.goto(`${at.base}/sleep`);
  await page.waitForSelector("#pulse[data-state=live]");
  await page.click("summary:has-text('Filter')");
  await page.fill("[name=AFTER]", "2026");
  const job = await at.make("sleep", { RUNID: "from elsewhere" });
  await page.waitForSelector("#jobs:has-text('from elsewhere')");
  expect(await page.inputValue("[name=AFTER]")).toBe("2026");
  await at.post(job, { ACTION: "DELETE" });
  await page.waitForSelector("#jobs:not(:has-text('from elsewhere'))");
});

test("without a script it can be read, and a job made and steered", async () => {
  const { at } = here();
  await using looking = await look({ javaScriptEnabled: false, viewport: PHONE });
  const { page, complaints } = looking;
  await page.goto(`${at.base}/sleep`);
  await page.click("summary:has-text('New job')");
  await picture(page, "form-phone");
  await page.fill("[name=RUNID]", "by hand");
  await page.click("button:has-text('Only make it')");
  expect(await phaseOf(page)).toBe("PENDING");
  await page.click("button:has-text('Abort')");
  expect(await phaseOf(page)).toBe("ABORTED");
  await page.goto(`${at.base}/sleep?PHASE=ABORTED`);
  expect(await page.textContent("#jobs")).toContain("by hand");
  expect(complaints).toEqual([]);
});

test("without a script a long list is read page by page, and a job with its results", async () => {
  const { at } = here();
  await using looking = await look({ javaScriptEnabled: false });
  const { page, complaints } = looking;
  const made = [];
  for (let count = 0; count < 7; count += 1) made.unshift(idOf(await at.make("greet", { name: `number ${count}` })));
  const shown = (): Promise<string[]> =>
    page.locator("#jobs .id").evaluateAll((links) => links.map((link) => link.getAttribute("href") ?? ""));
  await page.goto(`${at.base}/greet?PHASE=PENDING&LAST=3`);
  const pages = [await shown()];
  expect(await page.textContent(".pager")).toContain("3 of 7 jobs");
  for (let count = 0; count < 2; count += 1) {
    await page.click("a[rel=next]");
    pages.push(await shown());
  }
  expect(pages.flat().map((href) => idOf(href))).toEqual(made);
  expect(await page.locator("a[rel=next]").count()).toBe(0);
  // What is new in the meantime does not move what is being read.
  await at.make("greet");
  await page.click("a[rel=prev]");
  expect(await shown()).toEqual(pages[1] ?? []);
  await page.click("a:has-text('Newest')");
  expect(new URL(page.url()).search).toBe("?PHASE=PENDING&LAST=3");
  await page.goto(await at.done("greet"));
  expect(await phaseOf(page)).toBe("COMPLETED");
  await page.click("#results a:has-text('greeting.txt')");
  expect(await page.textContent("body")).toBe("hello world\n");
  expect(complaints).toEqual([]);
});

test.each([
  ["light", "desktop", DESKTOP],
  ["dark", "desktop", DESKTOP],
  ["light", "phone", PHONE],
  ["dark", "phone", PHONE],
] as const)("nothing hangs over the edge, and texts can be read: %s, %s", async (colorScheme, name, viewport) => {
  const { at } = here();
  const job = await at.make("preview", { target: "a".repeat(60), RUNID: "b".repeat(300) });
  await using looking = await look({ colorScheme, viewport });
  const { page, complaints } = looking;
  for (const [path, called] of [
    ["/", "index"],
    ["/preview", "list"],
    [job.slice(at.base.length), "pending"],
    ["/nothing", "refusal"],
  ] as const) {
    await page.goto(at.base + path);
    expect([path, await overhang(page)]).toEqual([path, 0]);
    expect([path, await page.evaluate(FAINT)]).toEqual([path, []]);
    expect([path, await page.evaluate(NAMELESS)]).toEqual([path, []]);
    await picture(page, `${called}-${name}-${colorScheme}`);
  }
  expect(complaints.filter((one) => !one.includes("404"))).toEqual([]);
});

const WIDTH = `document.querySelector("#results img").naturalWidth`;

/** What those cannot use who hear a page. */
const NAMELESS = `[
  ...[...document.querySelectorAll("input, select, textarea")].filter((one) => !one.labels.length && !one.ariaLabel),
  ...[...document.querySelectorAll("a, button, summary")].filter((one) => !one.ariaLabel && one.textContent.trim() === ""),
  ...[...document.querySelectorAll("[aria-labelledby]")].filter((one) => !document.getElementById(one.getAttribute("aria-labelledby"))),
  ...[...document.querySelectorAll("img")].filter((one) => one.getAttribute("alt") === null),
  ...(document.documentElement.lang && document.title && document.querySelectorAll("h1").length === 1 ? [] : [document.body]),
].map((one) => one.outerHTML.slice(0, 200))`;

/** Texts whose contrast to what is behind them is below that of WCAG 2.2, AA: 4.5. */
const FAINT = `(() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = rgba(getComputedStyle(one).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  return [...document.querySelectorAll("body *")].flatMap((element) => {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");
    if (!hasText || !element.checkVisibility() || element.closest("title, svg")) return [];
    const [one, other] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    return ratio < 4.5 ? [element.className + ": " + element.textContent.trim().slice(0, 40) + " " + ratio.toFixed(2)] : [];
  });
})()`;
