import { describe, expect, test } from "bun:test";
import { Authentication } from "../../src/service/authentication.ts";
import { Failures } from "../../src/service/failures.ts";
import { hashPassword, hashToken, isPassword, newToken } from "../../src/service/secrets.ts";

const basic = (name: string, password: string): Request =>
  new Request("http://localhost/", { headers: { authorization: `Basic ${btoa(`${name}:${password}`)}` } });
const peer = { address: "127.0.0.1" };

/** A clock that stands still until it is moved. */
function handClock() {
  let now = 0;
  return { monotonic: () => now, pass: (milliseconds: number) => void (now += milliseconds) };
}

describe("secrets", () => {
  test("a password is known by its hash, and no two hashes are the same", async () => {
    const [one, other] = await Promise.all([hashPassword("Zürich"), hashPassword("Zürich")]);
    expect(one).not.toBe(other);
    expect(one).toMatch(/^\$scrypt\$ln=15,r=8,p=1\$/);
    expect(one).not.toContain("rich");
    expect(await isPassword("Zürich", one)).toBe(true);
    expect(await isPassword("Zu\u0308rich", one)).toBe(true);
    for (const wrong of ["", "zürich", "Zürich ", one]) expect(await isPassword(wrong, one)).toBe(false);
    for (const none of ["", "Zürich", "$scrypt$", "$scrypt$ln=15,r=8,p=1$$"]) {
      expect(await isPassword("Zürich", none)).toBe(false);
    }
  });

  // RFC 7914, section 12: made by others.
  test("a hash that another program made is taken", async () => {
    const bytes = Buffer.from(
      "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
      "hex",
    );
    const [salt, hash] = [Buffer.from("NaCl"), bytes].map((one) => one.toString("base64").replaceAll("=", ""));
    expect(await isPassword("password", `$scrypt$ln=10,r=8,p=16$${salt}$${hash}`)).toBe(true);
  });

  test("tokens differ, and are known by their hashes", () => {
    const [one, other] = [newToken(), newToken()];
    expect(one.token).not.toBe(other.token);
    expect(hashToken(one.token)).toBe(one.hash);
    expect(one.hash).not.toContain(one.token.slice(6));
  });
});

describe("who asks", () => {
  test("a password is worked out once, and whoever tries too often has to wait", async () => {
    const clock = handClock();
    const users = new Map([["ada", { password: await hashPassword("right"), tokens: [] }]]);
    const authentication = new Authentication({ users, anonymous: false }, clock);
    const ask = (password: string) => authentication.callerOf(basic("ada", password), peer);
    expect(await ask("right")).toMatchObject({ owner: "ada" });
    for (let tries = 0; tries < 10; tries += 1)
      await expect(ask(`wrong ${tries}`)).rejects.toMatchObject({ status: 401 });
    await expect(ask("another")).rejects.toMatchObject({ status: 429, headers: { "Retry-After": "60" } });
    expect(await ask("right")).toMatchObject({ owner: "ada" });
    clock.pass(60_000);
    await expect(ask("another")).rejects.toMatchObject({ status: 401 });
  });

  test("strangers cannot have any number of passwords looked at at once", async () => {
    const users = new Map([["ada", { password: await hashPassword("right"), tokens: [] }]]);
    const authentication = new Authentication({ users, anonymous: false }, handClock());
    const asked = Array.from({ length: 20 }, (_, index) => authentication.callerOf(basic(`eve${index}`, "x"), peer));
    const statuses = (await Promise.allSettled(asked)).map((one) => one.status === "rejected" && one.reason.status);
    expect(new Set(statuses)).toEqual(new Set([401, 503]));
    expect(await authentication.callerOf(basic("ada", "right"), peer)).toMatchObject({ owner: "ada" });
  });

  test.each([
    [0, false, "127.0.0.1", null],
    [0, false, null, null],
    [1, false, null, null],
    [1, true, null, null],
    [0, true, null, null],
    [0, true, "127.0.0.1", "anonymous"],
    [1, true, "127.0.0.1", "anonymous"],
  ] as const)(
    "of %d users, anonymous %p, without credentials at %p it is %p",
    async (count, anonymous, address, owner) => {
      const ada = { password: null, tokens: [newToken().hash] };
      const users = new Map(count === 0 ? [] : [["ada", ada] as const]);
      const authentication = new Authentication({ users, anonymous }, handClock());
      expect(await authentication.callerOf(new Request("http://localhost/"), { address })).toMatchObject({ owner });
    },
  );
});

test("what went wrong is forgotten in time", () => {
  const clock = handClock();
  const failures = new Failures(clock);
  for (let tries = 0; tries < 9; tries += 1) failures.add("one");
  expect(failures.secondsToWait("one")).toBe(0);
  failures.add("one");
  expect(failures.secondsToWait("one")).toBe(60);
  expect(failures.secondsToWait("other")).toBe(0);
  clock.pass(59_500);
  expect(failures.secondsToWait("one")).toBe(1);
  clock.pass(500);
  expect(failures.secondsToWait("one")).toBe(0);
});
