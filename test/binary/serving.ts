import { mustBeValid } from "../support/schema.ts";
import { eventually } from "../support/eventually.ts";
import type { Form } from "./forms.ts";
import { Place, type Manner, type Running } from "./place.ts";

/** What came back: the body as text, and what of the headers matters. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export type Fields = Readonly<Record<string, string>> | readonly (readonly [string, string])[];

const isPairs = (fields: Fields): fields is readonly (readonly [string, string])[] => Array.isArray(fields);

/** A running `reeve serve`, and a client of it. */
export class Serving {
  readonly place: Place;
  readonly running: Running;
  /** Without a slash at its end. */
  readonly base: string;

  private constructor(place: Place, running: Running, base: string) {
    this.place = place;
    this.running = running;
    this.base = base;
  }

  static async start(place: Place, args: readonly string[] = [], manner: Manner = {}): Promise<Serving> {
    const running = place.start(["serve", "--listen", "127.0.0.1:0", ...args], manner);
    await running.says('"service started"');
    const [, base = ""] = /"address":"(http:[^"]*)\/"/.exec(running.stderr()) ?? [];
    return new Serving(place, running, base);
  }

  async get(path: string, init: RequestInit = {}): Promise<Reply> {
    const response = await fetch(path.startsWith("http") ? path : this.base + path, { redirect: "manual", ...init });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  /** A document of UWS, which has to be valid. */
  async xml(path: string, init: RequestInit = {}): Promise<string> {
    const { status, headers, text } = await this.get(path, init);
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
    if (!headers.get("content-type")?.startsWith("text/xml")) throw new Error(`${path} is no XML`);
    mustBeValid(text);
    return text;
  }

  post(path: string, fields: Fields = {}, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
    const body = new URLSearchParams();
    for (const [name, value] of isPairs(fields) ? fields : Object.entries(fields)) body.append(name, value);
    return this.get(path, { method: "POST", body, headers });
  }

  /** Makes a job, gives its address. */
  async make(list: string, fields: Fields = {}): Promise<string> {
    const { status, headers, text } = await this.post(`/${list}`, fields);
    const location = headers.get("location");
    if (status !== 303 || location === null) throw new Error(`POST /${list}: ${status} ${text}`);
    return location;
  }

  /** Makes a job, has it run, and waits for its end; gives its address. */
  async done(list: string, fields: Fields = {}): Promise<string> {
    const job = await this.make(list, { PHASE: "RUN", ...Object.fromEntries(Object.entries(fields)) });
    await this.reaches(job, "COMPLETED", "ERROR", "ABORTED");
    return job;
  }

  async phase(job: string): Promise<string> {
    return (await this.get(`${job}/phase`)).text;
  }

  reaches(job: string, ...phases: readonly string[]): Promise<true> {
    return eventually(`${job} is ${phases.join(" or ")}`, async () => phases.includes(await this.phase(job)));
  }
}

/** A directory with definitions, for one form. */
export function placeWithDefinitions(form: Form): Place {
  const place = new Place(form);
  place.write("reeve.toml", DEFINITIONS);
  return place;
}

const DEFINITIONS = `
[jobs.echo]
command = ["sh", "-c", '''
printf '%s' "$1" > "$REEVE_RESULTS/result.txt"
head -c 700000 /dev/zero | tr '\\0' 'x' > "$REEVE_RESULTS/big.bin"
mkdir "$REEVE_RESULTS/plots" && echo plot > "$REEVE_RESULTS/plots/a b.txt"
echo out; echo err >&2; echo run >> "$3"; exit "$2"''', "sh", "{param.text}", "{param.code}", "{param.runs}"]
description = "Gives back a text."
output = "separate"
params.text = { type = "string", default = "hello", allow_leading_dash = true }
params.code = { type = "integer", default = 0, min = 0, max = 9 }
params.runs = { type = "string", default = "/dev/null" }
params.tags = { type = "strings" }
params.key = { type = "string", secret = true }
params.data = { type = "file" }

[jobs.sleep]
command = ["sh", "-c", "sleep 600 & echo $! > pid; wait"]

[jobs.bounded]
command = ["true"]
execution_duration = "10s"

[jobs.much]
command = ["true", "{param.p0}", "{param.p1}", "{param.p2}", "{param.p3}", "{param.p4}", "{param.p5}", "{param.p6}"]
params = { p0 = { default = "" }, p1 = { default = "" }, p2 = { default = "" }, p3 = { default = "" }, p4 = { default = "" }, p5 = { default = "" }, p6 = { default = "" }, p7 = {}, p8 = {} }

[jobs.needs]
command = ["echo", "{param.image}"]
params.image = { type = "string", required = true, max_length = 10 }
`;

/** The content of the first element of that name, null where it is nil, undefined where it is not there. */
export function valueOf(xml: string, name: string): string | null | undefined {
  const [, attributes = "", content] =
    new RegExp(`<(?:\\w+:)?${name}(\\s[^>]*?)?(?:/>|>([^<]*)<)`).exec(xml)?.map((one) => one ?? "") ?? [];
  if (content === undefined) return undefined;
  return attributes.includes('xsi:nil="true"') ? null : content;
}

/** The ids of the jobs in a list, in its order. */
export const idsIn = (xml: string): string[] => [...xml.matchAll(/<uws:jobref id="([^"]*)"/g)].map(([, id = ""]) => id);

export const idOf = (address: string): string => address.slice(address.lastIndexOf("/") + 1);
