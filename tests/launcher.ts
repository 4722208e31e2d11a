/** The launcher in a bare checkout, with stand-ins for the tools that it calls. @module */

import assert from "node:assert/strict";

export const ROOT = new URL("../", import.meta.url);
export const ignore = Deno.build.os === "windows";

/** Real tools the launcher uses, by name; everything else on its PATH is a stand-in. */
export const REAL = "sh env mkdir mv rm sed awk tr dirname readlink chmod cat touch".split(" ");
export const FAKE_DENO = (version: string) =>
  `if [ "$1" = --version ]; then echo "deno ${version} (stable, release)"; exit 0; fi
if [ "$5" = - ]; then echo "asked for an adapter" >> "$(dirname "$0")/../log"; [ -e "$(dirname "$0")/../adapter" ]; exit $?; fi
case "$*" in
  *src/cli/permissions.ts*) [ -z "\${PLAN-}" ] || exec '${Deno.execPath()}' "$@"; exit 0 ;;
esac
for argument in "$@"; do printf '[%s]\\n' "$argument"; done
printf 'DENO_DIR=%s\\nXDG_RUNTIME_DIR=%s\\nwd=%s\\n' "\${DENO_DIR-}" "\${XDG_RUNTIME_DIR-}" "$PWD"
printf 'VITRAIL_CACHE=%s\\nVITRAIL_TEMPORARY=%s\\n' "\${VITRAIL_CACHE-}" "\${VITRAIL_TEMPORARY-}"
printf 'VITRAIL_NOHUP=%s\\n' "\${VITRAIL_NOHUP-}"
exit 7`;

/** What the stand-in for Deno logs when it is asked for an adapter. */
export const ASKED = "asked for an adapter\n";

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** A checkout with a space in its path, a home, and a PATH that holds only what it is given. */
export class Bare {
  readonly folder = Deno.makeTempDirSync({ prefix: "vitrail launcher " });
  readonly checkout = `${this.folder}/a checkout`;
  readonly home = `${this.folder}/home`;
  readonly bin = `${this.folder}/bin`;
  env: Record<string, string> = {
    PATH: this.bin,
    HOME: this.home,
    XDG_DATA_HOME: `${this.folder}/share`,
  };

  constructor({ deno = "2.9.6", driver = true }: { deno?: string; driver?: boolean } = {}) {
    for (const f of ["a checkout", "home", "bin", "share/vulkan/icd.d"]) {
      Deno.mkdirSync(`${this.folder}/${f}`, { recursive: true });
    }
    this.driver("lvp.json", `${this.folder}/lvp.so`);
    Deno.writeTextFileSync(`${this.folder}/lvp.so`, "");
    Deno.copyFileSync(new URL("vitrail", ROOT), `${this.checkout}/vitrail`);
    Deno.chmodSync(`${this.checkout}/vitrail`, 0o755);
    for (const folder of ["cli", "formats"]) {
      Deno.mkdirSync(`${this.checkout}/src/${folder}`, { recursive: true });
    }
    for (const name of ["cli/permissions.ts", "cli/flag_table.json", "formats/messages.ts"]) {
      Deno.copyFileSync(new URL(`src/${name}`, ROOT), `${this.checkout}/src/${name}`);
    }
    const link = 'cd "$1" && shift && for t; do ln -s "$(command -v "$t")" .; done';
    assert.ok(
      new Deno.Command("sh", { args: ["-c", link, "sh", this.bin, ...REAL] }).outputSync().success,
    );
    if (deno) this.tool("deno", FAKE_DENO(deno));
    this.tool("uname", 'case "$1" in -s) echo Linux ;; *) echo x86_64 ;; esac');
    this.tool("id", "echo 0");
    this.tool("ldconfig", `[ ! -e '${this.folder}/loader' ] || echo 'libvulkan.so.1 => /lib'`);
    if (driver) Deno.writeTextFileSync(`${this.folder}/loader`, "");
  }

  /** Puts a driver file where the loader looks. */
  driver(name: string, library: string): void {
    const icd = JSON.stringify({ ICD: { library_path: library, api_version: "1.1.230" } }, null, 4);
    Deno.writeTextFileSync(`${this.folder}/share/vulkan/icd.d/${name}`, icd);
  }

  /** Puts a stand-in on the PATH. */
  tool(name: string, script: string): void {
    Deno.writeTextFileSync(`${this.bin}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  /** An npm that brings what npm 11 brings without install scripts: the platform's package. */
  npm(after = "exit 0"): void {
    this.tool(
      "npm",
      `echo "npm $*" >> '${this.folder}/log'; echo noise
[ "$2" = --prefix ] && mkdir -p "$3/node_modules/@deno/linux-x64-glibc"
cat > "$3/node_modules/@deno/linux-x64-glibc/deno" <<'END'
#!/bin/sh
${FAKE_DENO("2.9.6")}
END
chmod +x "$3/node_modules/@deno/linux-x64-glibc/deno"; ${after}`,
    );
  }

  aptGet(): void {
    this.tool(
      "apt-get",
      `echo "apt-get $*" >> '${this.folder}/log'; echo noise
case "$*" in *install*) touch '${this.folder}/loader' ;; esac`,
    );
  }

  log(): string {
    try {
      return Deno.readTextFileSync(`${this.folder}/log`);
    } catch {
      return "";
    }
  }

  run(args: string[], { script = `${this.checkout}/vitrail`, cwd = this.home } = {}): Result {
    const env = Object.entries(this.env).map(([name, value]) => `${name}=${value}`);
    const out = new Deno.Command("sh", {
      args: ["-c", 'exec env -i "$@"', "sh", ...env, script, ...args],
      cwd,
    }).outputSync();
    const text = (bytes: Uint8Array<ArrayBuffer>) => new TextDecoder().decode(bytes);
    return { code: out.code, stdout: text(out.stdout), stderr: text(out.stderr) };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

export const exists = (path: string): boolean => {
  try {
    return Boolean(Deno.lstatSync(path));
  } catch {
    return false;
  }
};
