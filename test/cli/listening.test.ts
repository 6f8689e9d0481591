import { describe, expect, test } from "bun:test";
import { describeAddress, readAddress } from "../../src/cli/serving/listening.ts";
import { sentenceOf } from "../support/errors.ts";

describe("the address to listen on", () => {
  test.each([
    ["127.0.0.1:8080", { kind: "tcp", host: "127.0.0.1", port: 8080 }, "http://127.0.0.1:8080/"],
    ["127.8.9.1:1", { kind: "tcp", host: "127.8.9.1", port: 1 }, "http://127.8.9.1:1/"],
    ["localhost:0", { kind: "tcp", host: "localhost", port: 0 }, "http://localhost:0/"],
    ["[::1]:80", { kind: "tcp", host: "::1", port: 80 }, "http://[::1]:80/"],
    ["unix:/run/reeve.sock", { kind: "unix", path: "/run/reeve.sock" }, "unix:/run/reeve.sock"],
    ["unix:here.sock", { kind: "unix", path: "/srv/here.sock" }, "unix:/srv/here.sock"],
  ] as const)("%s is one of this machine", (text, address, described) => {
    expect(readAddress(text, "/srv")).toEqual(address);
    expect(describeAddress(address, null)).toBe(described);
  });

  test.each([
    "0.0.0.0:8080",
    "[::]:8080",
    "192.168.1.1:80",
    "example.org:80",
    "127.0.0.1.example.org:80",
    "[::ffff:8.8.8.8]:80",
  ])("%s could be reached by others, and is refused", async (text) => {
    expect(await sentenceOf(() => readAddress(text, "/"))).toMatchObject({
      exitCode: 2,
      message: expect.stringContaining("could be reached from elsewhere"),
    });
  });

  test.each([
    "",
    "8080",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:99999",
    "127.0.0.1:-1",
    "unix:",
    ":::",
    "http://127.0.0.1:80",
  ])("%s is none", async (text) => expect((await sentenceOf(() => readAddress(text, "/"))).exitCode).toBe(2));
});
