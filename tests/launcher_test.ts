/**
 * The launcher, with stand-ins for the tools it calls: what it installs, and what it grants.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ASKED, Bare, FAKE_DENO, ignore, ROOT } from "./launcher.ts";

const test = (name: string, fn: () => void | Promise<void>) => Deno.test({ name, ignore, fn });

test("arguments arrive whole, the exit code comes back, and nothing is said", () => {
  using bare = new Bare();
  const { code, stdout, stderr } = bare.run(["generate", "--prompt", "Call me  'Ishmael'", "*"]);
  assert.equal(code, 7);
  assert.equal(stderr, "");
  const lines = stdout.split("\n");
  const at = lines.indexOf(`[${bare.checkout}/cli.ts]`);
  assert.deepEqual(lines.slice(at + 1, at + 5), [
    "[generate]",
    "[--prompt]",
    "[Call me  'Ishmael']",
    "[*]",
  ]);
  assert.ok(lines.includes(`wd=${Deno.realPathSync(bare.home)}`), stdout);
  assert.ok(lines.includes("DENO_DIR="), "a home that can be written is left to Deno");
});

/** The permissions among Deno's arguments: each in brackets, or a word of a task. */
const granted = (text: string) =>
  text.match(/(?<=^\[)(-A|-P|--(allow|deny)-[^\]]+)|(?<=\s)(-A|-P|--(allow|deny)-\S+)/gm) ?? [];

test("it grants what flags name, a few variables, and one unfinished name; or prints that", () => {
  using bare = new Bare();
  bare.env.PLAN = "1"; // the real table and parser, not a stand-in
  bare.env.DENO_DIR = `${bare.folder}/deno`;
  const home = Deno.realPathSync(bare.home);
  const cache = `${bare.home}/.cache/vitrail`;
  const args = ["train", "--out=a run", "--data", "-x *.txt", "--seed", "/etc"];
  const { stdout } = bare.run(args);
  const lines = stdout.split("\n").filter((line) => line.startsWith("[")).map((l) =>
    l.slice(1, -1)
  );
  assert.deepEqual(
    lines.slice(lines.indexOf(`${Deno.realPathSync(bare.checkout)}/cli.ts`) + 1),
    args,
  );
  assert.deepEqual(
    granted(stdout).toSorted(),
    [
      "--allow-env=NO_COLOR,FORCE_COLOR,CLICOLOR_FORCE,VK_DRIVER_FILES,VK_ICD_FILENAMES,VITRAIL_CACHE,VITRAIL_NOHUP,VITRAIL_TEMPORARY",
      `--allow-read=${bare.folder}/deno/npm`,
      `--allow-read=${cache}`,
      `--allow-read=${home}/-x *.txt`,
      `--allow-read=${home}/a run`,
      `--allow-write=${cache}`,
      `--allow-write=${home}/a run`,
    ].toSorted(),
  );
  assert.match(stdout, /^VITRAIL_TEMPORARY=\.vitrail-[0-9a-f]{8}-[0-9a-f]{4}\.tmp$/m);
  bare.env.VITRAIL_SHOW_PERMISSIONS = "1";
  const shown = bare.run(["generate", "--model", "m", "--prompt", "/etc/passwd"]);
  assert.equal(shown.code, 0);
  assert.deepEqual(shown.stdout.split("\n").filter((line) => line.includes("write")), [
    `--allow-write=${cache}`,
  ]);
  const comma = bare.run(["merge", "--out", "a,b"]);
  assert.equal(comma.code, 1);
  assert.match(
    comma.stderr,
    /^error: Cannot write to a,b: Deno cannot be told of a path with a comma/,
  );
});

test("what is fast here is remembered in a folder of the user's cache, if there can be one", () => {
  using bare = new Bare();
  const cacheOf = (...args: string[]) => {
    const { stdout } = bare.run(args.length > 0 ? args : ["train"]);
    const [, folder] = stdout.match(/^VITRAIL_CACHE=(.*)$/m)!;
    return folder;
  };
  const isThere = (folder: string) => Deno.statSync(folder).isDirectory;
  assert.equal(cacheOf("--help"), `${bare.home}/.cache/vitrail`);
  assert.throws(() => isThere(`${bare.home}/.cache`), Deno.errors.NotFound);
  assert.ok(isThere(cacheOf()));
  bare.env.XDG_CACHE_HOME = `${bare.folder}/big disk`;
  assert.equal(cacheOf(), `${bare.folder}/big disk/vitrail`);
  assert.ok(isThere(`${bare.folder}/big disk/vitrail`));
  bare.env.VITRAIL_CACHE = `${bare.folder}/own`;
  assert.equal(cacheOf(), `${bare.folder}/own`);
  // None is wanted; a comma that Deno would read as two folders; a place where none can be made.
  for (const none of ["", `${bare.folder}/a,b`, `${bare.bin}/deno/below a file`]) {
    bare.env.VITRAIL_CACHE = none;
    assert.equal(cacheOf(), "", none);
  }
  delete bare.env.VITRAIL_CACHE;
  delete bare.env.XDG_CACHE_HOME;
  bare.env.HOME = "/nonexistent";
  assert.equal(cacheOf(), `${Deno.realPathSync(bare.checkout)}/.deno/cache/vitrail`);
  assert.throws(() => isThere("/nonexistent"), Deno.errors.NotFound);
});

test("the tasks of deno.json grant what the launcher grants, as far as they can", () => {
  using bare = new Bare();
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  const [variables] = granted(bare.run(["train"]).stdout);
  // A task cannot know what is named behind it: what reads gets no write, and what trains the current folder.
  const writes = {
    demo: ["--allow-write=runs"],
    train: ["--allow-write=."],
    generate: [],
    doctor: [],
  };
  for (const [name, write] of Object.entries(writes)) {
    const task: string = tasks[name].command ?? tasks[name];
    assert.deepEqual(granted(task), ["--allow-read", ...write, variables], name);
    assert.match(task, new RegExp(`cli\\.ts ${name}$`));
  }
});

test("it finds its checkout through symbolic links, from anywhere", () => {
  using bare = new Bare();
  Deno.symlinkSync("../a checkout/vitrail", `${bare.home}/first link`);
  Deno.symlinkSync(`${bare.home}/first link`, `${bare.bin}/vitrail`);
  for (const script of ["vitrail", "./first link"]) {
    const { stdout, stderr } = bare.run(["doctor"], { script });
    assert.ok(stdout.includes(`[${Deno.realPathSync(bare.checkout)}/cli.ts]`), stdout + stderr);
  }
});

test("without a home, Deno's downloads and the runtime folder lie in the checkout", () => {
  using bare = new Bare();
  for (const home of ["", "/nonexistent", undefined]) {
    if (home === undefined) delete bare.env.HOME;
    else bare.env.HOME = home;
    const { stdout } = bare.run(["doctor"]);
    const local = `${Deno.realPathSync(bare.checkout)}/.deno`;
    assert.ok(stdout.includes(`DENO_DIR=${local}/cache\n`), stdout);
    assert.ok(stdout.includes(`XDG_RUNTIME_DIR=${local}/run\n`), stdout);
    assert.equal(Deno.statSync(`${local}/run`).mode! & 0o777, 0o700);
  }
});

test("2.8.3 is new enough, and so is all that is newer", () => {
  using bare = new Bare({ deno: "2.8.3" });
  for (const version of ["2.8.3", "2.9.0", "2.10.1", "3.0.0", "2.9.0-rc.1"]) {
    bare.tool("deno", FAKE_DENO(version));
    assert.equal(bare.run(["doctor"]).code, 7, version);
  }
  for (const version of ["2.8.2", "2.7.14", "1.46.3"]) {
    bare.tool("deno", FAKE_DENO(version));
    const { code, stderr } = bare.run(["doctor"]);
    assert.equal(code, 1, version);
    assert.ok(stderr.includes(`(Deno ${version} is too old)`), stderr);
  }
});

for (const deno of ["", "2.8.2"]) {
  test(`Deno ${deno || "missing"}: it is installed once, and stdout stays clean`, () => {
    using bare = new Bare({ deno });
    bare.npm();
    const first = bare.run(["generate"]);
    assert.equal(first.code, 7, first.stderr);
    assert.match(first.stderr, /installing Deno 2\.9\.6 from npm into .*a checkout\/\.deno/);
    assert.ok(!first.stdout.includes("noise"), first.stdout);
    assert.match(bare.log(), /^npm install .*@deno\/linux-x64-glibc@2\.9\.6\n$/);
    const second = bare.run(["generate"]);
    assert.equal(second.stderr, "");
    assert.equal(second.stdout, first.stdout);
    assert.equal(bare.log().split("\n").length, 2, "npm ran once");
  });
}

test("a failed download leaves nothing behind and says what to do", () => {
  using bare = new Bare({ deno: "" });
  bare.npm("exit 1");
  const { code, stderr } = bare.run(["train"]);
  assert.equal(code, 1);
  assert.match(stderr, /Cannot install Deno from npm .* or install Deno 2\.8\.3 or newer from/);
  assert.deepEqual([...Deno.readDirSync(`${bare.checkout}/.deno`)].map((e) => e.name), ["run"]);
});

test("without npm, or told to install nothing, it says what is missing and stops", () => {
  using bare = new Bare({ deno: "" });
  assert.match(bare.run(["train"]).stderr, /^vitrail: Cannot find Deno .* nor npm to install it/);
  bare.npm();
  bare.env.VITRAIL_NO_INSTALL = "1";
  const { code, stderr } = bare.run(["train"]);
  assert.equal(code, 1);
  assert.match(stderr, /this installs it: npm install --prefix '.*' @deno\/linux-x64-glibc@2/);
  assert.equal(bare.log(), "");
});

test("a missing driver is installed by root, and by sudo if it asks for no password", () => {
  for (const user of ["0", "1000"]) {
    using bare = new Bare({ driver: false });
    bare.aptGet();
    bare.tool("id", `echo ${user}`);
    bare.tool("sudo", `echo sudo >> '${bare.folder}/log'; shift; [ "$1" = true ] || exec "$@"`);
    const { code, stdout, stderr } = bare.run(["train"]);
    assert.equal(code, 7, stderr);
    assert.match(stderr, /running (sudo )?apt-get install mesa-vulkan-drivers libvulkan1/);
    assert.match(bare.log(), /apt-get .*update\n(sudo\n)?apt-get .*install .*mesa-vulkan-drivers/);
    assert.equal(bare.log().includes("sudo"), user !== "0");
    assert.ok(!stdout.includes("noise"));
  }
});

test("a driver that cannot be installed stops what needs a GPU, and nothing else", () => {
  using bare = new Bare({ driver: false });
  bare.aptGet();
  bare.tool("id", "echo 1000");
  bare.tool("sudo", "exit 1");
  for (const args of [["train"], ["test"], ["train", "--", "--help"]]) {
    const { code, stderr } = bare.run(args);
    assert.equal(code, 1, args.join(" "));
    assert.match(stderr, /: sudo apt-get install mesa-vulkan-drivers libvulkan1\n$/);
  }
  for (const args of [[], ["help"], ["--help"], ["train", "-h"], ["--version"]]) {
    const { code, stderr } = bare.run(args);
    assert.deepEqual([code, stderr], [7, ""], args.join(" "));
  }
  const doctor = bare.run(["doctor"]);
  assert.equal(doctor.code, 7);
  assert.match(doctor.stderr, /No Vulkan driver was found/);
  assert.equal(bare.log().replaceAll(ASKED, ""), "");
});

test("variables that name no driver are told apart from a driver that is missing", () => {
  using bare = new Bare();
  bare.env.VK_DRIVER_FILES = "/nonexistent/icd.json";
  assert.match(bare.run(["train"]).stderr, /names no existing file; unset it/);
  bare.env.VK_DRIVER_FILES += `:${bare.folder}/share/vulkan/icd.d/lvp.json`;
  assert.equal(bare.run(["train"]).code, 7);
});

/** Whether the machine of the test shows a graphics card, which the launcher then believes in. */
function hasCard(): boolean {
  // By a process, since Deno lists /dev only with all permissions.
  const { stdout } = new Deno.Command("ls", { args: ["/dev"] }).outputSync();
  return /^(dri|dxg|kfd|nvidia\d|mali|kgsl)/m.test(new TextDecoder().decode(stdout));
}

test("what counts as a driver: one that is whole, or an adapter that Deno finds", () => {
  const cases: { name: string; set: (bare: Bare) => void; asks: boolean }[] = [
    { name: "lvp with its library", set: () => {}, asks: false },
    {
      name: "a driver file without its library",
      set: (bare) => Deno.removeSync(`${bare.folder}/lvp.so`),
      asks: true,
    },
    { name: "a damaged driver file", set: (bare) => put(bare, "{"), asks: true },
    {
      name: "a library by its name alone, which the linker knows",
      set: (bare) => bare.driver("lvp.json", "libvulkan.so.1"),
      asks: false,
    },
    {
      name: "a library by its name alone, which the linker does not know",
      set: (bare) => bare.driver("lvp.json", "libvulkan_lvp.so"),
      asks: true,
    },
    {
      name: "a library beside its driver file",
      set: (bare) => bare.driver("lvp.json", "../../../lvp.so"),
      asks: false,
    },
    {
      name: "drivers of graphics cards alone",
      set: (bare) => {
        Deno.renameSync(`${bare.folder}/lvp.so`, `${bare.folder}/radeon.so`);
        Deno.removeSync(`${bare.folder}/share/vulkan/icd.d/lvp.json`);
        bare.driver("radeon_icd.json", `${bare.folder}/radeon.so`);
      },
      asks: !hasCard(),
    },
    { name: "no loader", set: (bare) => Deno.removeSync(`${bare.folder}/loader`), asks: true },
    {
      name: "a variable that names no file",
      set: (bare) => bare.env.VK_DRIVER_FILES = "/nonexistent/icd.json",
      asks: true,
    },
  ];
  const put = (bare: Bare, text: string): void =>
    Deno.writeTextFileSync(`${bare.folder}/share/vulkan/icd.d/lvp.json`, text);
  for (const { name, set, asks } of cases) {
    using bare = new Bare();
    // The machine of the test has drivers of its own.
    bare.env.VK_DRIVER_FILES = `${bare.folder}/share/vulkan/icd.d`;
    set(bare);
    // Without an adapter it stops; with one, such as OpenGL's, it goes on; and so does the doctor.
    const refused = bare.run(["train"]);
    assert.deepEqual([refused.code, bare.log()], asks ? [1, ASKED] : [7, ""], name);
    assert.equal(/No Vulkan driver/.test(refused.stderr), asks, name);
    assert.match(bare.run(["doctor"]).stderr, /^vitrail: No Vulkan driver/, name);
    Deno.writeTextFileSync(`${bare.folder}/adapter`, "");
    for (const command of ["train", "doctor"]) {
      const { code, stderr } = bare.run([command]);
      const another = /^vitrail: .* names no existing file; the adapter in use is another\n$/;
      assert.equal(code, 7, `${name}, ${command}`);
      if (name.startsWith("a variable")) assert.match(stderr, another);
      else assert.equal(stderr, "", `${name}, ${command}`);
    }
  }
});

test("under nohup, a closed terminal is not listened to", () => {
  using bare = new Bare();
  assert.match(bare.run(["train"]).stdout, /^VITRAIL_NOHUP=$/m);
  Deno.writeTextFileSync(`${bare.folder}/ignoring`, "trap '' HUP\nexec \"$@\"\n");
  const { stdout } = bare.run([`${bare.folder}/ignoring`, `${bare.checkout}/vitrail`, "train"], {
    script: "/bin/sh",
  });
  assert.match(stdout, /^VITRAIL_NOHUP=1$/m);
});

test("the launcher starts the runner as the task `test` does", () => {
  using bare = new Bare();
  const task: string = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))).tasks.test;
  const started = bare.run(["test", "a_test.ts"]).stdout.split("\n").flatMap((line) =>
    /^\[(.*)\]$/.exec(line)?.[1] ?? []
  );
  assert.deepEqual(
    started.filter((word) => word !== "--no-prompt"),
    [...task.split(" ").slice(1), "a_test.ts"],
  );
});
