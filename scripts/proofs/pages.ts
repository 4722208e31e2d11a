/**
 * Proof: the HTML pages that Vitrail writes work, in a browser: on a wide screen, on a phone's and in the
 * dark. No error or warning reaches the console and no request goes out; nothing sticks out sideways, no
 * chart is blank, text stands out from what is behind it (WCAG AA) and fingers hit the controls; whatever is
 * pointed at is told of, and so is what the arrow keys reach from the Tab key, whose focus shows.
 *
 *     deno run --no-lock --allow-read --allow-write --allow-env --allow-run \
 *       --allow-net=127.0.0.1 scripts/proofs/pages.ts --pages DIR \
 *       [--screenshots DIR] [--chromium FILE]
 *
 * The pages come from these, with models of one's own and `--html DIR/NAME.html` where none is said:
 *
 *     ./vitrail train …                     RUN/report.html; so do pretrain and finetune
 *     ./vitrail report RUN RUN --out DIR/compare.html
 *     ./vitrail profile step;  ./vitrail profile generate
 *     ./vitrail probe attention "the whale saw the ship, and the whale swam" --model GPT
 *     ./vitrail probe lens "Captain Ahab stood upon the deck of the" --attribute --model GPT
 *     ./vitrail probe patch "upon the deck of the" "upon the head of the" --model GPT
 *     ./vitrail probe attribute "You won a free prize, call now" --model CLASSIFIER
 *     ./vitrail probe linear --data brown --steps 100 --model BERT
 *     ./vitrail probe neurons --data brown --windows 40 --show 5 --model GPT
 *     ./vitrail probe sae --data brown --steps 60 --show 5 --model GPT
 *     ./vitrail probe bias --model BERT
 *     ./vitrail probe induction --steps 100
 *
 * Exit code 1 if a check of any page fails. Writes NAME.png, NAME_phone.png and NAME_dark.png.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, launch, type Page } from "./puppeteer.ts";
import inside from "./pages_inside.js" with { type: "text" };

/** What the script inside the page answers; `pages_inside.js` says what each part means. */
interface Point {
  x: number;
  y: number;
  speaker?: number;
  wanted?: string;
}

interface Widget {
  choices?: number;
  name: string;
}

interface Focus {
  widget: number;
  visible: boolean;
  name: string;
  again: boolean;
}

const VIEWS = [
  { name: "wide", suffix: "", width: 1280, height: 800, dark: false },
  { name: "phone", suffix: "_phone", width: 390, height: 844, dark: false },
  { name: "dark", suffix: "_dark", width: 1280, height: 800, dark: true },
] as const;
type View = typeof VIEWS[number];

/** Places to point at within one widget. */
const POINTS = 8;
/** Times that a pointer is moved to one place before what is said there counts as wrong. */
const TURNS = 3;
/** Failures of one view that are told of. */
const MOST_TOLD = 8;
/** Presses of the Tab key before a page is given up. */
const MOST_TABS = 2000;

/** Calls a function of `pages_inside.js`. */
async function ask<T>(page: Page, name: string, ...args: number[]): Promise<T> {
  return await page.evaluate(`pageProof.${name}(${args.join(",")})`) as T;
}

/** A widget that can say several things must say more than one, and none that can say something nothing. */
function judge({ choices = 2, name }: Widget, said: ReadonlySet<string>, how: string): string[] {
  const wanted = Math.min(choices, 2);
  return said.size >= wanted ? [] : [`${name} says ${said.size} of ${wanted} things ${how}`];
}

/** Points at each widget, on a phone by a finger, and reads what is said. */
async function point(
  page: Page,
  { widgets, touch }: { widgets: readonly Widget[]; touch: boolean },
): Promise<string[]> {
  const failures: string[] = [];
  for (const [index, widget] of widgets.entries()) {
    const said = new Set<string>();
    for (const place of await ask<Point[]>(page, "points", index, POINTS)) {
      const { speaker, wanted } = place;
      let text = "";
      // A busy machine may tell the page of a move after it was asked what it says.
      for (let turn = 0; turn < TURNS; turn++) {
        const at = speaker === undefined
          ? place
          : await ask<Point>(page, "speakerAt", index, speaker);
        if (touch) {
          const tapped = ask(page, "tapped");
          await page.touchscreen.tap(at.x, at.y);
          await tapped;
        } else await page.mouse.move(at.x, at.y);
        text = await ask<string>(page, "said", index);
        if (touch || wanted === undefined || text === wanted) break;
        await page.mouse.move(0, 0);
      }
      if (text !== "") said.add(text);
      // A browser moves a finger's tap to what it thinks was meant: a token of one letter may be missed.
      if (wanted !== undefined && (touch ? text === "" : text !== wanted)) {
        failures.push(`${widget.name} says "${text}" and not "${wanted}"`);
      }
    }
    failures.push(...judge(widget, said, touch ? "to the finger" : "to the pointer"));
  }
  await page.mouse.move(0, 0);
  return failures;
}

/** Goes through the page by Tab, and through each widget by arrows. */
async function press(page: Page, widgets: readonly Widget[]): Promise<string[]> {
  const failures: string[] = [];
  const reached = new Set<number>();
  for (let tab = 0; tab < MOST_TABS; tab++) {
    await page.keyboard.press("Tab");
    const focus = await ask<Focus | null>(page, "focus");
    if (focus === null || focus.again) break;
    if (!focus.visible) failures.push(`the focus does not show on ${focus.name}`);
    if (focus.widget < 0 || reached.has(focus.widget)) continue;
    reached.add(focus.widget);
    const said = new Set<string>();
    for (
      const key of ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown", "ArrowLeft"] as const
    ) {
      await page.keyboard.press(key);
      const text = await ask<string>(page, "said", focus.widget);
      if (text !== "") said.add(text);
    }
    failures.push(...judge(widgets[focus.widget], said, "to the keys"));
  }
  widgets.forEach(({ name }, i) => {
    if (!reached.has(i)) failures.push(`Tab does not reach ${name}`);
  });
  return failures;
}

/** Opens a page as a view shows it, and proves what can be proved of it. */
async function prove(
  browser: Browser,
  file: string,
  { view, screenshots }: { view: View; screenshots?: string },
): Promise<{ title: string; checks: string; failures: string[] }> {
  const url = pathToFileURL(file).href;
  const failures: string[] = [];
  const page = await browser.newPage();
  page.on("console", (message) => {
    if (["error", "warn", "assert"].includes(message.type())) {
      failures.push(`console: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => failures.push(`uncaught: ${error}`));
  page.on("request", (request) => {
    const asked = request.url();
    if (asked !== url && !asked.startsWith("data:")) failures.push(`asks for ${asked}`);
  });
  const { width, height } = view;
  const touch = view.name === "phone";
  await page.setViewport({ width, height, isMobile: touch, hasTouch: touch });
  const scheme = view.dark ? "dark" : "light";
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.evaluateOnNewDocument(inside);
  await page.goto(url, { waitUntil: "load" });
  // Charts draw themselves again once their places are measured.
  await ask(page, "settle");

  if (screenshots) {
    const name = basename(file, ".html") + view.suffix;
    await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
  }
  await ask(page, "unfold");
  await ask(page, "settle");
  const lists = { overflow: "sticks out", faint: "contrast", tiny: "too small", blank: "blank" };
  for (const [name, words] of Object.entries(lists)) {
    const found = await ask<string[]>(page, name, width);
    if (found.length > 0) {
      failures.push(`${words}: ${found.slice(0, 4).join(", ")} (${found.length})`);
    }
  }
  const widgets = await ask<Widget[]>(page, "count");
  failures.push(...await press(page, widgets), ...await point(page, { widgets, touch }));
  const title = await page.title();
  await page.close();
  return { title, checks: `${widgets.length} widgets`, failures };
}

/** The first of the usual names that is on the path. */
function findChromium(): string {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    for (const folder of folders) {
      const file = join(folder, name);
      try {
        if (Deno.statSync(file).isFile) return file;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
  throw new Error(
    "No chromium, chromium-browser or google-chrome is on the path: name one by --chromium",
  );
}

const { values } = parseArgs({
  options: {
    pages: { type: "string" },
    screenshots: { type: "string" },
    chromium: { type: "string" },
  },
});
if (!values.pages) throw new Error("No pages are named: give --pages, a folder of .html files");
const folder = resolve(values.pages);
const files = [...Deno.readDirSync(folder)].map(({ name }) => name)
  .filter((name) => name.endsWith(".html")).sort();
if (files.length === 0) throw new Error(`${folder} holds no .html file`);
if (values.screenshots) Deno.mkdirSync(values.screenshots, { recursive: true });

const browser = await launch({
  executablePath: values.chromium ?? findChromium(),
  // These pages are our own and ask for nothing; a container's root has no sandbox to put them in.
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
});
let failed = 0;
try {
  for (const name of files) {
    for (const view of VIEWS) {
      const file = join(folder, name);
      const proof = await prove(browser, file, { view, screenshots: values.screenshots });
      const { title, checks, failures } = proof;
      const verdict = failures.length === 0 ? "ok" : "FAILED";
      console.log(`${verdict}  ${name} ${view.name} (${view.width} px): ${title}; ${checks}`);
      failures.slice(0, MOST_TOLD).forEach((failure) => console.log(`    ${failure}`));
      const rest = failures.length - MOST_TOLD;
      if (rest > 0) console.log(`    and ${rest} more`);
      if (failures.length > 0) failed++;
    }
  }
} finally {
  await browser.close();
}
if (failed > 0) {
  console.log(`${failed} of ${files.length * VIEWS.length} views failed`);
  Deno.exit(1);
}
