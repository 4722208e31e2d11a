/**
 * Regular expressions of the Rust library, which are Oniguruma's, as JavaScript writes them.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { escapeControls, quoteName } from "../formats/messages.ts";

/** Classes that an escape names: what stands between the brackets of a class. */
const ESCAPED_CLASSES: Record<string, string> = {
  d: "\\p{Nd}",
  h: "0-9a-fA-F",
  s: "\\p{White_Space}",
  w: "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u{b2}\\u{b3}\\u{b9}\\u{bc}-\\u{be}",
};

/** Classes that POSIX names. */
const NAMED_CLASSES: Record<string, string> = {
  alnum: "\\p{Alphabetic}\\p{Nd}",
  alpha: "\\p{Alphabetic}",
  ascii: "\\x00-\\x7f",
  blank: "\\p{Zs}\\t",
  cntrl: "\\p{Cc}",
  digit: "\\p{Nd}",
  graph: "[^\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]",
  lower: "\\p{Lowercase}",
  print: "[[^\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]\\p{Zs}]",
  punct: "\\p{P}\\p{S}",
  space: "\\p{White_Space}",
  upper: "\\p{Uppercase}",
  word: "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}",
  xdigit: "0-9a-fA-F",
};

const CONTROL_ESCAPES: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7, e: 27 };

/** Inside of a class, a word has fewer characters. */
const CLASSES_INSIDE: Record<string, string> = {
  ...ESCAPED_CLASSES,
  w: "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}",
};

/** Assertions that JavaScript writes otherwise; `^` and `$` are those of every line. */
const ASSERTIONS: Record<string, string> = {
  "^": "(?:^|(?<=\\n)(?=[^]))",
  "$": "(?:(?=\\n)|$)",
  "\\A": "^",
  "\\z": "$",
  "\\Z": "(?=\\n?$)",
  "\\b": `(?:(?<=[${ESCAPED_CLASSES.w}])(?![${ESCAPED_CLASSES.w}])|` +
    `(?<![${ESCAPED_CLASSES.w}])(?=[${ESCAPED_CLASSES.w}]))`,
  "\\B": `(?:(?<=[${ESCAPED_CLASSES.w}])(?=[${ESCAPED_CLASSES.w}])|` +
    `(?<![${ESCAPED_CLASSES.w}])(?![${ESCAPED_CLASSES.w}]))`,
  "\\R": "(?:\\r\\n|[\\n-\\r\\u{85}\\u{2028}\\u{2029}])",
};

/** Letters that, regardless of case, also match one ligature or letter of several. */
const FOLDED_TOGETHER = /ss|ff|fi|fl|st/i;
const NOT_ASCII = /\P{ASCII}/u;

const literal = (point: number): string => `\\u{${point.toString(16)}}`;

/**
 * Translates a regular expression; the flag `v` goes with it.
 *
 * @throws {VitrailError} if it uses something that JavaScript does not have
 */
export function translate(source: string): string {
  const out = new Translator(source).all();
  try {
    new RegExp(out, "v");
  } catch {
    throw new VitrailError(`the regular expression ${quoteName(source)} is not valid`);
  }
  return out;
}

/** Groups and classes within one another. */
const DEEPEST = 100;

class Translator {
  readonly #source: string;
  #at = 0;
  #dotAll = false;
  #ignoreCase = false;
  /** Literal letters in a row, while case is ignored. */
  #letters = "";
  #atoms = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
  }

  all(): string {
    const out = this.#alternatives();
    if (this.#at < this.#source.length) throw this.#refuse("an unmatched )");
    return out;
  }

  #refuse(what: string): VitrailError {
    const short = what.length > 80 ? `${what.slice(0, 80)}…` : what;
    return new VitrailError(
      `${escapeControls(short)} in the regular expression ${
        quoteName(this.#source)
      } is not supported`,
    );
  }

  #take(token: string | RegExp): string | undefined {
    let found: string | undefined;
    if (typeof token === "string") {
      found = this.#source.startsWith(token, this.#at) ? token : undefined;
    } else {
      token.lastIndex = this.#at;
      found = token.exec(this.#source)?.[0];
    }
    this.#at += found?.length ?? 0;
    return found;
  }

  #next(): string {
    const point = this.#source.codePointAt(this.#at);
    if (point === undefined) throw this.#refuse("an unfinished end");
    const character = String.fromCodePoint(point);
    this.#at += character.length;
    return character;
  }

  #alternatives(): string {
    return this.#nested(() => this.#alternativesInside());
  }

  /** Groups and classes within one another: deeper than any pattern has them, none is made. */
  #nested(make: () => string): string {
    if (++this.#depth > DEEPEST) throw this.#refuse(`nesting deeper than ${DEEPEST}`);
    const made = make();
    this.#depth--;
    return made;
  }

  #alternativesInside(): string {
    let out = "";
    const flags = [this.#dotAll, this.#ignoreCase];
    let open = 0;
    while (this.#at < this.#source.length && this.#source[this.#at] !== ")") {
      if (this.#take("|")) {
        out += "|";
        this.#letters = "";
        continue;
      }
      // A flag holds to the end of its group, alternatives included.
      const flag = this.#take(/\(\?[imx-]+\)/y);
      if (flag) {
        this.#setFlags(flag.slice(2, -1));
        out += this.#ignoreCase ? "(?i:" : "(?-i:";
        open++;
        continue;
      }
      out += this.#quantified();
    }
    [this.#dotAll, this.#ignoreCase] = flags as [boolean, boolean];
    this.#letters = "";
    return out + ")".repeat(open);
  }

  #setFlags(flags: string): void {
    const [on, off = ""] = flags.split("-");
    if (/x/.test(on)) throw this.#refuse("the flag x");
    if (/i/.test(on)) this.#ignoreCase = true;
    if (/i/.test(off)) this.#ignoreCase = false;
    if (/m/.test(on)) this.#dotAll = true;
    if (/m/.test(off)) this.#dotAll = false;
  }

  #quantified(): string {
    let atom = this.#atom();
    for (;;) {
      const quantifier = this.#take(/[*+?]|\{\d+(?:,\d*)?\}|\{,\d+\}/y);
      if (!quantifier) return atom;
      this.#letters = "";
      if (/^\(\?<?[=!]/.test(atom)) throw this.#refuse("a repeated assertion");
      if (atom === "") throw this.#refuse(`a ${quantifier} that repeats nothing`);
      const count = quantifier.replace("{,", "{0,");
      const interval = count.startsWith("{");
      if (/^\{\d+\}$/.test(count) && this.#source[this.#at] === "?") {
        throw this.#refuse(`${count}?`);
      }
      if (this.#take("?")) {
        atom = `(?:${atom}${count}?)`;
      } else if (!interval && this.#take("+")) {
        atom = this.#atomic(`${atom}${count}`);
      } else {
        atom = `(?:${atom}${count})`;
      }
    }
  }

  /** What has matched once is kept: a lookahead does not go back either. */
  #atomic(inside: string): string {
    const name = `atom${this.#atoms++}`;
    return `(?:(?=(?<${name}>${inside}))\\k<${name}>)`;
  }

  #atom(): string {
    if (this.#take("(")) return this.#group();
    if (this.#take("[")) {
      this.#letters = "";
      return this.#class();
    }
    if (this.#take(".")) {
      this.#letters = "";
      return this.#dotAll ? "[^]" : "[^\\n]";
    }
    for (const [written, assertion] of Object.entries(ASSERTIONS)) {
      if (this.#take(written)) {
        this.#letters = "";
        return assertion;
      }
    }
    if (/[*+?]/.test(this.#source[this.#at])) throw this.#refuse("a repetition of nothing");
    const escaped = this.#source[this.#at] === "\\";
    const [one, isClass] = this.#character();
    if (isClass) {
      this.#letters = "";
      return `[${one}]`;
    }
    if (this.#ignoreCase) {
      this.#letters += escaped ? "\u0000" : this.#source[this.#at - 1];
      this.#checkFolds(this.#letters.slice(-2));
    }
    return one;
  }

  #checkFolds(letters: string): void {
    if (FOLDED_TOGETHER.test(letters) || NOT_ASCII.test(letters)) {
      throw this.#refuse(`${quoteName(letters)} without regard to case`);
    }
  }

  #group(): string {
    const kind = this.#take(/\?(?:[:=!>]|<[=!]|#)|\?<\p{L}\w*>|\?[imx-]+:/yu);
    if (kind === undefined && this.#source[this.#at] === "?") {
      throw this.#refuse(`(${this.#source.slice(this.#at, this.#at + 2)}`);
    }
    if (kind === "?#") {
      if (!this.#take(/[^)]*\)/y)) throw this.#refuse("an unfinished comment");
      return "(?:)";
    }
    this.#letters = "";
    const flags = [this.#dotAll, this.#ignoreCase];
    if (kind && /^\?[imx-]+:$/.test(kind)) this.#setFlags(kind.slice(1, -1));
    const ignores = this.#ignoreCase;
    const inside = this.#alternatives();
    if (!this.#take(")")) throw this.#refuse("an unmatched (");
    [this.#dotAll, this.#ignoreCase] = flags as [boolean, boolean];
    if (kind === "?>") return this.#atomic(inside);
    if (kind && /^\?<?[=!]$/.test(kind)) return `(${kind}${inside})`;
    // What a group matched is asked by none that is supported.
    return ignores === flags[1] ? `(?:${inside})` : `(?${ignores ? "i" : "-i"}:${inside})`;
  }

  /** A character, or what stands between the brackets of a class. */
  #character(classes = ESCAPED_CLASSES): [out: string, isClass: boolean] {
    const written = this.#next();
    if (written !== "\\") return [literal(written.codePointAt(0)!), false];
    const escape = this.#next();
    const lower = escape.toLowerCase();
    if (lower === "p") return [this.#property(escape === "P"), true];
    if (Object.hasOwn(classes, lower)) {
      return [lower === escape ? classes[lower] : `[^${classes[lower]}]`, true];
    }
    if (Object.hasOwn(CONTROL_ESCAPES, escape)) return [literal(CONTROL_ESCAPES[escape]), false];
    if (escape === "x" || escape === "u") {
      const digits = this.#take(
        escape === "u" ? /[0-9a-fA-F]{4}/y : /\{[0-9a-fA-F]{1,6}\}|[0-9a-fA-F]{1,2}/y,
      );
      if (!digits) throw this.#refuse(`\\${escape} without digits`);
      return [literal(parseInt(digits.replace(/[{}]/g, ""), 16)), false];
    }
    if (escape === "0") {
      return [literal(parseInt(this.#take(/[0-7]{1,2}/y) ?? "0", 8)), false];
    }
    if (/[A-Za-z0-9]/.test(escape)) throw this.#refuse(`\\${escape}`);
    return [literal(escape.codePointAt(0)!), false];
  }

  /** A property behind `\p`, as it stands between the brackets of a class. */
  #property(negated: boolean): string {
    const name = this.#take(/\{\^?[\w -]+\}/y);
    if (!name) throw this.#refuse("\\p without a {name}");
    const bare = name.replace(/[{}^]/g, "");
    const key = bare.toLowerCase().replace(/[_ -]/g, "");
    const isNot = negated !== name.startsWith("{^");
    const sign = isNot ? "^" : "";
    if (key === "any") return isNot ? "[]" : "[^]";
    if (Object.hasOwn(NAMED_CLASSES, key)) return `[${sign}${NAMED_CLASSES[key]}]`;
    const capital = bare[0].toUpperCase() + bare.slice(1).toLowerCase();
    for (const property of [`\\p{${capital}}`, `\\p{sc=${capital}}`]) {
      try {
        new RegExp(property, "v");
        return `[${sign}${property}]`;
      } catch {
        // It is none of these.
      }
    }
    throw this.#refuse(`\\p{${bare}}`);
  }

  /** A class behind its bracket. */
  #class(): string {
    const negated = this.#take("^") !== undefined;
    const operands: string[] = [];
    let items = "";
    let first = true;
    for (;; first = false) {
      if (this.#take("&&")) {
        operands.push(`[${items}]`);
        items = "";
        continue;
      }
      if (!first && this.#take("]")) break;
      if (first && this.#source[this.#at] === "]") {
        if (!this.#source.slice(this.#at + 1).includes("]")) throw this.#refuse("an empty class");
      }
      const posix = this.#take(/\[:\^?\w+:\]/y);
      if (posix) {
        const name = posix.replace(/[[\]:^]/g, "");
        if (!Object.hasOwn(NAMED_CLASSES, name)) throw this.#refuse(posix);
        items += `[${posix[2] === "^" ? "^" : ""}${NAMED_CLASSES[name]}]`;
        continue;
      }
      if (this.#take("[")) {
        items += this.#nested(() => this.#class());
        continue;
      }
      const [one, isClass] = this.#character(CLASSES_INSIDE);
      if (this.#ignoreCase && !isClass) {
        this.#checkFolds(String.fromCodePoint(parseInt(one.slice(3), 16)));
      }
      if (isClass || !this.#take(/-(?=[^\]])(?!&&|\[)/y)) {
        items += one;
        continue;
      }
      const [last, lastIsClass] = this.#character(CLASSES_INSIDE);
      items += lastIsClass ? `${one}\\-${last}` : `${one}-${last}`;
    }
    const sign = negated ? "^" : "";
    if (operands.length === 0) return `[${sign}${items}]`;
    return `[${sign}${[...operands, `[${items}]`].join("&&")}]`;
  }
}
