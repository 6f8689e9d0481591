import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, truncateSync } from "node:fs";
import { readNetwork } from "../../src/config/networks.ts";
import { baseOf, proxiesOf } from "../../src/service/addresses.ts";
import { readRange } from "../../src/service/byte-range.ts";
import { StoredFile } from "../../src/service/stored-file.ts";
import { existing, temporaryDirectory } from "../support/temporary.ts";

const textOf = (file: StoredFile, start: number, end: number): Promise<string> =>
  new Response(file.stream({ start, end })).text();

describe("a file that a job left", () => {
  test("is given without what was left out of its middle, in whole and in part", async () => {
    using directory = temporaryDirectory();
    const path = directory.write("log", "head\n\0\0\0\0\0\0tail\n");
    const open = () => existing(StoredFile.open(path, directory.path, { start: 5, end: 11 }));
    const file = open();
    expect(file.size).toBe(10);
    expect(await textOf(file, 0, 10)).toBe("head\ntail\n");
    expect(await textOf(open(), 3, 7)).toBe("d\nta");
    expect(await textOf(open(), 6, 10)).toBe("ail\n");
    expect(await textOf(open(), 0, 0)).toBe("");
  });

  test("breaks off where it has become shorter meanwhile: nobody is to take it for whole", async () => {
    using directory = temporaryDirectory();
    const path = directory.write("log", "0123456789");
    const file = existing(StoredFile.open(path, directory.path, null));
    truncateSync(path, 4);
    await expect(textOf(file, 0, 10)).rejects.toThrow("shorter");
  });

  test("is none where it is no file, a link, elsewhere, or not there", () => {
    using directory = temporaryDirectory();
    using other = temporaryDirectory();
    mkdirSync(directory.of("sub"));
    symlinkSync(other.write("file", "x"), directory.of("link"));
    symlinkSync(other.path, directory.of("elsewhere"));
    const open = (...names: string[]) => StoredFile.open(directory.of(...names), directory.path, null);
    for (const names of [["sub"], ["link"], ["elsewhere", "file"], ["nothing"], ["sub", "nothing"], ["nothing", "x"]]) {
      expect([names, open(...names)]).toEqual([names, null]);
    }
    const file = existing(StoredFile.open(directory.write("file", "x"), directory.path, null));
    expect(file.size).toBe(1);
    file.close();
  });
});

test.each([
  ["bytes=0-0", 5, { start: 0, end: 1 }],
  ["bytes=-9", 5, { start: 0, end: 5 }],
  ["bytes=-0", 5, "unsatisfiable"],
  ["bytes=0-", 0, "unsatisfiable"],
  ["bytes=-", 5, null],
  ["bytes=99999999999999999999-", 5, "unsatisfiable"],
  [null, 5, null],
] as const)("the range %s of %d bytes", (header, size, expected) => {
  expect(readRange(header, size)).toEqual(expected);
});

const isProxy = proxiesOf(["10.1.2.3", "172.16.0.0/12", "fd00::/8"].map(readNetwork));

const base = (headers: Record<string, string>, address: string | null = "127.0.0.1", names: string[] = []) =>
  baseOf(new Request("http://x/", { headers }), { address }, { hosts: new Set(names), isProxy });

describe("the address that clients know", () => {
  test("is that of the request, or what the proxy says of it", () => {
    expect(base({ host: "localhost:1" })).toBe("http://localhost:1");
    expect(base({ host: "[::1]:1" }, "::1")).toBe("http://[::1]:1");
    expect(base({ host: "data.example" }, null, ["data.example"])).toBe("http://data.example");
    const said = {
      host: "localhost",
      "x-forwarded-host": "a.example:8443",
      "x-forwarded-proto": "https",
      "x-forwarded-prefix": "/a/b/",
    };
    expect(base(said)).toBe("https://a.example:8443/a/b");
    expect(base(said, "::ffff:127.0.0.1")).toBe("https://a.example:8443/a/b");
    // Only a proxy on this machine is believed, or one that is named.
    for (const one of ["192.0.2.1", "10.1.2.4", "172.32.0.1", "fe80::1"])
      expect(base(said, one)).toBe("http://localhost");
    for (const one of ["10.1.2.3", "::ffff:10.1.2.3", "172.31.255.1", "fd12::1"]) {
      expect(base(said, one)).toBe("https://a.example:8443/a/b");
    }
  });

  test.each([
    {},
    { host: "" },
    { host: "a b" },
    { host: "evil.example" },
    { host: "localhost.evil.example" },
    { host: "evil@localhost" },
  ])("is refused for the Host of %j", (headers) => expect(() => base(headers)).toThrow());
});
