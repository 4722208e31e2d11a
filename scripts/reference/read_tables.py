"""Writes tables as people have them, good and broken, and what Python reads of each.

    python read_tables.py FOLDER [COUNT [SEED]]
    deno run --allow-read read_tables.ts FOLDER

Run with pandas installed. `cases.json` has for each file all readings that count as right, each a list of
[text, label]; a reading of a file that is broken may also be refused, one of a good file may not.
"""

import csv
import io
import json
import pathlib
import random
import sys

import pandas as pd

out = pathlib.Path(sys.argv[1])
count = int(sys.argv[2]) if len(sys.argv) > 2 else 600
out.mkdir(parents=True, exist_ok=True)
random.seed(int(sys.argv[3]) if len(sys.argv) > 3 else 12)
WORDS = ["birds", "sing", 'said "hi"', '"quoted"', "a, b", "a; b", "a|b", "x\ty", "two\nlines", "é",
         "naïve", "日本語", "🐦", "it's", '"', '""', "end.", "3.5", "-1", " lead", "trail ", "NA", "null"]
LABELS = [["ham", "spam"], ["0", "1", "10", "2"], ["yes", "no", "NA"], ["a b", "c"], ["1.5", "2.0"]]


def text(allowed):
    return " ".join(random.choice(allowed) for _ in range(random.randint(1, 5)))


def plain(delimiter):
    """Words that need no quotes."""
    return [w for w in WORDS if not set(w) & {delimiter, "\n", '"', "\t"}]


def rows_of(data, **options):
    """All rows that Python's csv reads, or nothing if they are not a table."""
    try:
        rows = [r for r in csv.reader(io.StringIO(data, newline=""), strict=True, **options) if r]
    except csv.Error:
        return None
    if not rows or any(len(r) != len(rows[0]) for r in rows):
        return None
    return rows


def pandas_rows(data, delimiter):
    try:
        frame = pd.read_csv(io.StringIO(data), sep=delimiter, dtype=str, keep_default_na=False,
                            index_col=False)
    except Exception:
        return None
    return [list(frame.columns), *frame.values.tolist()]


def pick(rows, names=("text", "label")):
    if rows is None or any(rows[0].count(n) != 1 for n in names):
        return None
    at = [rows[0].index(n) for n in names]
    if any(len(r) < len(rows[0]) for r in rows):
        return None
    # Line ends inside a text are one character, as Python's open() reads them.
    return [[r[i].replace("\r\n", "\n").replace("\r", "\n") for i in at] for r in rows[1:]]


cases = []


def add(kind, data, *, ext, readings, broken, encoding="utf-8"):
    name = f"{len(cases):04d}.{ext}"
    (out / name).write_bytes(data.encode(encoding, errors="strict"))
    good = []
    for reading in readings:
        if reading is not None and reading not in good:
            good.append(reading)
    cases.append({"name": name, "kind": kind, "right": good, "broken": broken})


def table(allowed, n=None):
    labels = random.choice(LABELS)
    names = ["text", "label"] + random.sample(["id", "source", ""], random.randint(0, 2))
    random.shuffle(names)
    rows = []
    for i in range(n or random.randint(4, 9)):
        values = {"text": text(allowed), "label": labels[i % len(labels)], "id": str(i),
                  "source": random.choice(["web", "a, b", "", "x y"]), "": str(i)}
        rows.append([values[name] for name in names])
    return [names, *rows]


def written(rows, delimiter, end, quoting):
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
    return buffer.getvalue()


NEXT = {",": "csv", "\t": "tsv", ";": "csv", "|": "csv"}


def good_table():
    delimiter = random.choice([",", ",", "\t", "\t", ";", "|"])
    ext = random.choice(["csv", "tsv"]) if random.random() < 0.2 else NEXT[delimiter]
    end = random.choice(["\n", "\n", "\r\n", "\r"])
    quoting = random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    # Older Pythons quote a line break only if rows end with it.
    rows = table([w for w in WORDS if end != "\r" or "\n" not in w])
    data = written(rows, delimiter, end, quoting)
    if random.random() < 0.2:
        lines = data.split(end)
        if all('"' not in line for line in lines):
            lines.insert(random.randrange(1, len(lines)), random.choice(["", "  "]))
            data = end.join(lines)
    if random.random() < 0.3:
        data = data.removesuffix(end)
    encoding = random.choice(["utf-8", "utf-8", "utf-8-sig"])
    # A blank before a quote is refused, since Python reads the quote as part of the text.
    add(f"csv.writer {delimiter!r} {end!r} {quoting}", data, ext=ext, encoding=encoding,
        readings=[pick(rows)], broken=False)


def pandas_table():
    delimiter = random.choice([",", "\t", "\t", ";"])
    rows = table(WORDS)
    frame = pd.DataFrame(rows[1:], columns=[n or "Unnamed" for n in rows[0]])
    data = frame.to_csv(sep=delimiter, index=random.random() < 0.5,
                        quoting=random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]))
    add(f"pandas {delimiter!r}", data, ext=NEXT[delimiter], readings=[pick(rows)], broken=False)


def unquoted():
    """Tab-separated without quotes, as GLUE's files are: quotes are characters."""
    rows = table([w for w in WORDS if "\t" not in w and "\n" not in w])
    rows = [[cell.replace("\t", " ") for cell in row] for row in rows]
    data = "".join("\t".join(row) + "\n" for row in rows)
    add("tsv without quotes", data, ext="tsv", broken=False, readings=[
        pick(rows), pick(rows_of(data, delimiter="\t")), pick(pandas_rows(data, "\t")),
    ])


def unescaped():
    """CSV with quotes in the middle of cells that are not quoted."""
    rows = table(plain(",") + ['say "hi" now'])
    rows[0] = ["id" if n == "source" else n for n in rows[0]]
    rows = [[c.replace(",", "") for c in row] for row in rows]
    data = "".join(",".join(row) + "\n" for row in rows)
    add("csv, quotes inside", data, ext="csv", readings=[pick(rows_of(data))], broken=False)


def broken():
    delimiter = random.choice([",", "\t", ";"])
    rows = table(plain(delimiter))
    kind = random.choice(["long", "short", "unclosed", "blank", "behind", "backslash", "names",
                          "twice", "header", "empty", "blanks", "encoding", "quoted blank", "none",
                          "name blank", "empty label"])
    encoding = "utf-8"
    at = random.randrange(1, len(rows))
    if kind == "long":
        rows[at] = rows[at] + ["more"]
    if kind == "short":
        rows[at] = rows[at][:-1]
    if kind == "names":
        rows[0] = [n.upper() for n in rows[0]]
    if kind == "twice":
        rows = [row + [row[rows[0].index("text")] + "x" * (i > 0)] for i, row in enumerate(rows)]
    if kind == "name blank":
        rows[0] = [f" {n}" if n == "label" else n for n in rows[0]]
    if kind == "none":
        rows = rows[1:]
    if kind == "blanks":
        column = rows[0].index("label")
        rows[at][column] = f" {rows[at][column]}"
    if kind == "empty label":
        rows[at][rows[0].index("label")] = random.choice(["", " "])
    lines = [delimiter.join(row) for row in rows]
    column = rows[0].index("text") if "text" in rows[0] else 0
    if kind in ("unclosed", "behind", "backslash", "quoted blank", "blank"):
        cell = rows[at][column]
        rows[at][column] = {"unclosed": f'"{cell}', "behind": f'"{cell}" so',
                            "backslash": f'"{cell} \\"so\\" {cell}"',
                            "quoted blank": f'"{cell}" ', "blank": f' "{cell}"'}[kind]
        lines[at] = delimiter.join(rows[at])
    data = "\n".join(lines) + "\n"
    if kind == "header":
        data = lines[0] + "\n"
    if kind == "empty":
        data = random.choice(["", "\n", "\n \n"])
    if kind == "encoding":
        encoding = random.choice(["utf-16", "latin-1"])
        data = data.encode("latin-1", errors="ignore").decode("latin-1").replace("label", "label\xe9")
    quoting = {"quoting": csv.QUOTE_NONE} if delimiter == "\t" else {}
    readings = [pick(rows_of(data, delimiter=delimiter, **quoting)),
                pick(rows_of(data, delimiter=delimiter))]
    if kind in ("encoding", "empty label", "header"):
        readings = []
    add(kind, data, ext=NEXT[delimiter], readings=readings, broken=True, encoding=encoding)


makers = [good_table, good_table, pandas_table, unquoted, unescaped, broken, broken]
while len(cases) < count:
    random.choice(makers)()
(out / "cases.json").write_text(json.dumps(cases, ensure_ascii=False))
print(f"{count} tables in {out}")
