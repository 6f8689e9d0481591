import { describe, expect, test } from "bun:test";
import { ownGroups } from "../../src/process/own-groups.ts";

const UNIFIED = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
const HYBRID = [
  "31 30 0:28 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755",
  "32 31 0:29 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw",
  "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct",
  "34 31 0:31 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory",
].join("\n");

/** As plain values, for comparing. */
function found(cgroup: string, mountinfo: string) {
  const { unified, controllers } = ownGroups({ cgroup, mountinfo });
  return { unified, controllers: Object.fromEntries(controllers) };
}

describe("our own control groups", () => {
  test("are one directory where there is the version 2 hierarchy only", () => {
    expect(found("0::/user.slice/a.scope\n", UNIFIED)).toEqual({
      unified: ["/sys/fs/cgroup/user.slice/a.scope"],
      controllers: {},
    });
    expect(found("0::/\n", UNIFIED).unified).toEqual(["/sys/fs/cgroup"]);
  });

  test("are one for each controller of version 1 beside it", () => {
    const cgroup = "9:name=systemd:/a\n4:memory:/process/one\n3:cpu,cpuacct:/\n2:pids:/nowhere\n0::/two\n";
    expect(found(cgroup, HYBRID)).toEqual({
      unified: ["/sys/fs/cgroup/unified/two"],
      controllers: {
        memory: "/sys/fs/cgroup/memory/process/one",
        cpu: "/sys/fs/cgroup/cpu,cpuacct",
        cpuacct: "/sys/fs/cgroup/cpu,cpuacct",
      },
    });
  });

  test("are found where a part of the hierarchy is mounted, and only if it is the part in which they are", () => {
    const part = "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw";
    expect(found("0::/docker/abc/inner\n", part).unified).toEqual(["/sys/fs/cgroup/inner"]);
    expect(found("0::/docker/abc\n", part).unified).toEqual(["/sys/fs/cgroup"]);
    expect(found("0::/docker/abcdef\n", part).unified).toEqual([]);
    expect(found("0::/../other\n", part).unified).toEqual([]);
  });

  test("are found below a mount with spaces in its name", () => {
    const odd = String.raw`30 23 0:26 / /mnt/control\040groups\134 rw - cgroup2 none rw`;
    expect(found("0::/a\n", odd).unified).toEqual(["/mnt/control groups\\/a"]);
  });

  test("are none where the kernel shows none", () => {
    expect(found("", "")).toEqual({ unified: [], controllers: {} });
  });
});
