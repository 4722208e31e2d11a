"""Random tokenizer.json files, put together from the parts that Python's `tokenizers` has, with its
ids, offsets, tokens and texts on hard texts.

    python make_random.py OUT.jsonl [--count 500] [--seed 0] [--kinds deployed]

One line holds a tokenizer and what the library makes of each text; `compare_random.ts` compares.
"""

import argparse
import json
import random
import re

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, trainers
from tokenizers import pre_tokenizers as pre
from tokenizers import processors

CORPUS = [
    "the quick brown fox jumps over the lazy dog and it's don't we've I'm you'll 1234 5678 9,000.50",
    "constructor prototype toString hasOwnProperty __proto__ valueOf length the the the constructor",
    "naïve café déjà vu Ångström straße ŒUVRE İstanbul ﬁne ½ ² … “quoted” — dash",
    "日本語のテキスト 中文文本 한국어 텍스트 العربية עברית ไทย हिन्दी",
    "👩‍👩‍👧‍👦 👍🏽 🇫🇷 😀 🚀 ☃️",
    "def f(x):\n    return x\n\n\tif y:\r\n\t\tpass\r\n",
    "   leading and trailing   ",
    "aaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbb abababab",
    "Hello, World! HELLO hello HeLLo",
    "y\u0301 e\u0301 é",
] * 4

TEXTS = [
    "", "a", " ", "  ", "\n", "\r\n", "\r", "\t\t", "Hello, world!", "  two  spaces  ",
    "trailing   \n\n  next", "tab\tand\x0bvt\x0cff", "line\r\nline\r\n\r\nx",
    "it's DON'T we'Ve I'M you'LL", "constructor toString __proto__ hasOwnProperty valueOf",
    "the constructor", "naïve café", "nai\u0308ve cafe\u0301", "Ångström Å A\u030a", "ﬁne ½ ² ①",
    "İstanbul İI ıi", "ΣΊΣΥΦΟΣ ὈΔΥΣΣΕΎΣ", "日本語 テキスト、中文。", "한국어 \u1112\u1161\u11ab",
    "العربية עברית", "ไทย हिन्दी", "👩‍👩‍👧‍👦", "👍🏽👍", "🇫🇷🇩🇪", "☃️☃", "\ufeffBOM first",
    "mid\ufeffdle", "x\u0085y", "x\u00a0y\u3000z\u2003w", "x\u200by\u200dz\u2060",
    "\u0000nul\u0001", "a" * 300, "é" * 150, "0123456789 12 345", "3.14 -2 1e-5 $9,000.50",
    "http://example.com/a?b=c&d=e#f", "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ",
    "<mask>", "a <mask> b", "a  <mask>  b", "<mask><mask>", "[MASK]", "the [MASK] dog",
    "the[MASK]dog", "[mask] [SEP]x[CLS]", "foo foobar barfoo foo.", "Foo FOO", "<x> <xy> <x",
    "new token here", "😀\ufffd", "\ufffda", "a\ufffd\ufffdb", "“quotes” ‘single’ — em",
    "...!!!???", "_under_score_ --dash--", "ﷺ", "e\u0301\u0302\u0303", "\u1e9b\u0323", "ẞ ß",
    "q\u0307\u0323", "\u2028line\u2029sep", "\ufeff\ufeff\ufeff", "x" * 99 + " " + "y" * 101,
    "don’t it’s", "\u00adsoft\u00adhyphen", "a\u0300 b\u0301", "A\u0345", "1️⃣2️⃣", "ﾊﾟ ｶﾞ",
    "Ⅷ ⅷ ℡", "\t leading tab", " \n \n x", "word" + " " * 40 + "word", "x\n\n\n\ny", "a\u061cb",
    "\U0001f9d1\u200d\U0001f680",
]
BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
LLAMA = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERNS = [
    LLAMA, r"\s+", r"\w+|[^\w\s]+", r"[^\s]+", r"\d{1,3}", r"(?i)the|o", r"[[:punct:]]", r"\p{Han}",
    r"^\s*|\s*$", r"\bt\w*", r"[a-c&&[^b]]+", r"a++b|(?>a+)", r"(?<=e)l+|l(?!l)", r"x*", r".",
    r"(?m:.)", r"[^\p{L}\p{N}]", r"\h+", r"\R", r"[\u4e00-\u9fff]", r"(a)|(b)", r"\A.|.\z",
    r" ?\p{Lu}\p{Ll}+| ?\p{Lu}+", r"$", r"[\[\]{}()*]", r"o{1,2}?|l{2}",
]
LITERALS = [" ", "a", "the", "é", "👍", "-", "\n", "."]


def chance(rng, p):
    return rng.random() < p


def replacement(rng):
    pattern = rng.choice(LITERALS) if chance(rng, 0.5) else Regex(rng.choice(PATTERNS))
    return pattern, rng.choice(["", " ", "▁", "xy", "é"])


NORMALIZERS = {
    "BertNormalizer": lambda r: normalizers.BertNormalizer(
        clean_text=chance(r, 0.7), handle_chinese_chars=chance(r, 0.7),
        strip_accents=r.choice([None, True, False]), lowercase=chance(r, 0.5)),
    "Strip": lambda r: normalizers.Strip(left=chance(r, 0.5), right=chance(r, 0.5)),
    "StripAccents": lambda r: normalizers.StripAccents(),
    "NFC": lambda r: normalizers.NFC(),
    "NFD": lambda r: normalizers.NFD(),
    "NFKC": lambda r: normalizers.NFKC(),
    "NFKD": lambda r: normalizers.NFKD(),
    "Lowercase": lambda r: normalizers.Lowercase(),
    "Nmt": lambda r: normalizers.Nmt(),
    "Replace": lambda r: normalizers.Replace(*replacement(r)),
    "Prepend": lambda r: normalizers.Prepend(r.choice(["▁", "xy", " "])),
    "ByteLevel": lambda r: normalizers.ByteLevel(),
}


def split(rng):
    pattern = rng.choice(LITERALS) if chance(rng, 0.25) else Regex(rng.choice(PATTERNS))
    return pre.Split(pattern, rng.choice(BEHAVIORS), invert=chance(rng, 0.4))


PRE_TOKENIZERS = {
    "BertPreTokenizer": lambda r: pre.BertPreTokenizer(),
    "ByteLevel": lambda r: pre.ByteLevel(
        add_prefix_space=chance(r, 0.5), trim_offsets=chance(r, 0.5), use_regex=chance(r, 0.7)),
    "CharDelimiterSplit": lambda r: pre.CharDelimiterSplit(r.choice([" ", "a", "é", "-"])),
    "Digits": lambda r: pre.Digits(individual_digits=chance(r, 0.5)),
    "FixedLength": lambda r: pre.FixedLength(length=r.choice([1, 3, 5])),
    "Metaspace": lambda r: pre.Metaspace(
        replacement=r.choice(["▁", "▁", "_"]), prepend_scheme=r.choice(["first", "never", "always"]),
        split=chance(r, 0.7)),
    "Punctuation": lambda r: pre.Punctuation(r.choice(BEHAVIORS)),
    "Split": split,
    "UnicodeScripts": lambda r: pre.UnicodeScripts(),
    "Whitespace": lambda r: pre.Whitespace(),
    "WhitespaceSplit": lambda r: pre.WhitespaceSplit(),
}


def metaspace_decoder(rng):
    return decoders.Metaspace(
        replacement=rng.choice(["▁", "▁", "_"]),
        prepend_scheme=rng.choice(["first", "never", "always"]))


DECODERS = {
    "BPEDecoder": lambda r: decoders.BPEDecoder(suffix=r.choice(["</w>", "e"])),
    "ByteFallback": lambda r: decoders.ByteFallback(),
    "ByteLevel": lambda r: decoders.ByteLevel(),
    "CTC": lambda r: decoders.CTC(
        pad_token=r.choice(["<pad>", "e"]), word_delimiter_token=r.choice(["|", "t"]),
        cleanup=chance(r, 0.5)),
    "Fuse": lambda r: decoders.Fuse(),
    "Metaspace": metaspace_decoder,
    "Replace": lambda r: decoders.Replace(*replacement(r)),
    "Strip": lambda r: decoders.Strip(r.choice([" ", "▁", "a"]), r.choice([0, 1, 2]), r.choice([0, 1])),
    "WordPiece": lambda r: decoders.WordPiece(prefix=r.choice(["##", "a"]), cleanup=chance(r, 0.5)),
}


def some(rng, table, sequence, most=3, none=0.3):
    if chance(rng, none):
        return None
    parts = [rng.choice(list(table.values()))(rng) for _ in range(rng.randint(1, most))]
    return parts[0] if len(parts) == 1 else sequence(parts)


def train(rng, tokenizer_of):
    kind = rng.choice(["BPE", "BPE", "WordPiece", "WordLevel", "Unigram"])
    size = rng.choice([150, 250, 400, 700])
    unknown = "[UNK]"
    special = [unknown, "<|endoftext|>"]
    alphabet = pre.ByteLevel.alphabet() if chance(rng, 0.4) else []
    hexes = [f"<0x{b:02X}>" for b in range(256)] if chance(rng, 0.3) else []
    if kind == "BPE":
        prefix = rng.choice([None, None, None, "##"])
        suffix = rng.choice([None, None, None, "</w>"])
        named = None if chance(rng, 0.3) else unknown
        affixes = {k: v for k, v in
                   dict(continuing_subword_prefix=prefix, end_of_word_suffix=suffix).items() if v}
        t = tokenizer_of(models.BPE(
            fuse_unk=chance(rng, 0.5), byte_fallback=bool(hexes), ignore_merges=chance(rng, 0.2),
            **affixes, **({"unk_token": named} if named else {})))
        trainer = trainers.BpeTrainer(
            vocab_size=size + len(hexes), special_tokens=special + hexes, show_progress=False,
            initial_alphabet=alphabet, **affixes)
    elif kind == "WordPiece":
        prefix = rng.choice(["##", "##", "@@"])
        t = tokenizer_of(models.WordPiece(
            unk_token=unknown, max_input_chars_per_word=rng.choice([5, 20, 100]),
            continuing_subword_prefix=prefix))
        trainer = trainers.WordPieceTrainer(
            vocab_size=size, special_tokens=special, show_progress=False,
            initial_alphabet=alphabet, continuing_subword_prefix=prefix)
    elif kind == "WordLevel":
        t = tokenizer_of(models.WordLevel(unk_token=unknown))
        trainer = trainers.WordLevelTrainer(
            vocab_size=size, special_tokens=special, show_progress=False)
    else:
        t = tokenizer_of(models.Unigram())
        trainer = trainers.UnigramTrainer(
            vocab_size=size, special_tokens=special + hexes, unk_token=unknown,
            show_progress=False, initial_alphabet=alphabet)
    t.train_from_iterator(CORPUS, trainer)
    if hexes:
        file = json.loads(t.to_str())
        file["added_tokens"] = [
            a for a in file["added_tokens"] if not a["content"].startswith("<0x")]
        if kind == "Unigram":
            file["model"]["byte_fallback"] = True
        t = Tokenizer.from_str(json.dumps(file))
    return t


def make(rng):
    normalizer = some(rng, NORMALIZERS, normalizers.Sequence, none=0.35)
    cutter = some(rng, PRE_TOKENIZERS, pre.Sequence, none=0.15)

    def tokenizer_of(model):
        t = Tokenizer(model)
        if normalizer is not None:
            t.normalizer = normalizer
        if cutter is not None:
            t.pre_tokenizer = cutter
        return t

    t = train(rng, tokenizer_of)
    decoder = some(rng, DECODERS, decoders.Sequence, none=0.2)
    if decoder is not None:
        t.decoder = decoder
    for content in rng.sample(
            ["<mask>", "[MASK]", "foo", "foobar", "Foo", "<x>", "<xy>", "<x", "new token", "café",
             "é", " x", "[CLS]", "[SEP]", "日本"], rng.randint(0, 5)):
        t.add_tokens([AddedToken(
            content, single_word=chance(rng, 0.3), lstrip=chance(rng, 0.3), rstrip=chance(rng, 0.3),
            normalized=chance(rng, 0.5), special=chance(rng, 0.4))])
    sep, cls = ("<|endoftext|>", t.token_to_id("<|endoftext|>")), ("[UNK]", t.token_to_id("[UNK]"))
    if None not in (sep[1], cls[1]):
        kind = rng.randrange(6)
        if kind == 0:
            t.post_processor = processors.ByteLevel(trim_offsets=chance(rng, 0.5))
        elif kind == 1:
            t.post_processor = processors.RobertaProcessing(
                sep, cls, trim_offsets=chance(rng, 0.5), add_prefix_space=chance(rng, 0.5))
        elif kind == 2:
            t.post_processor = processors.BertProcessing(sep, cls)
        elif kind == 3:
            t.post_processor = processors.TemplateProcessing(
                single=f"{cls[0]} $A {sep[0]}", pair=f"{cls[0]} $A {sep[0]} $B:1 {sep[0]}:1",
                special_tokens=[sep, cls])
    # As a file says it: what is read back is what is compared.
    return Tokenizer.from_str(t.to_str())


def row_of(t, text):
    try:
        e = t.encode(text, add_special_tokens=False)
        row = {"text": text, "ids": e.ids, "offsets": e.offsets, "words": e.word_ids}
        row["decoded"] = decode(t, e.ids)
        row["whole"] = decode(t, e.ids, skip=False)
        return row
    except BaseException as fault:  # a panic of Rust is no Exception
        return {"text": text, "refused": str(fault)[:200]}


def decode(t, ids, skip=True):
    try:
        return t.decode(ids, skip_special_tokens=skip)
    except BaseException:
        return None


def pair_of(t, a, b):
    try:
        e = t.encode(a, b)
        return {"a": a, "b": b, "ids": e.ids, "segments": e.type_ids}
    except BaseException as fault:
        return {"a": a, "b": b, "refused": str(fault)[:200]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--texts", type=int, default=len(TEXTS))
    args = parser.parse_args()
    made, tried = 0, 0
    with open(args.out, "w", encoding="utf-8") as out:
        while made < args.count:
            rng = random.Random(f"{args.seed} {tried}")
            tried += 1
            try:
                t = make(rng)
            except BaseException:  # parts that cannot be trained together
                continue
            texts = TEXTS if args.texts >= len(TEXTS) else rng.sample(TEXTS, args.texts)
            size = t.get_vocab_size()
            random_ids = [[rng.randrange(size) for _ in range(rng.randint(1, 24))] for _ in range(8)]
            line = {
                "json": json.loads(t.to_str()),
                "rows": [row_of(t, text) for text in texts],
                "pairs": [pair_of(t, *rng.sample(texts, 2)) for _ in range(4)],
                "decodes": [
                    {"ids": ids, "decoded": decode(t, ids), "whole": decode(t, ids, skip=False)}
                    for ids in random_ids
                ],
            }
            out.write(re.sub(r"[\ud800-\udfff]", "\ufffd", json.dumps(line)) + "\n")
            made += 1
    print(f"{made} tokenizers, {tried - made} that the library itself refused to make")


main()
