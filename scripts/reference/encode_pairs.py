"""Writes tokenizers of both families, and what AutoTokenizer makes of random texts and pairs with each.

    python encode_pairs.py FOLDER [SEED]
    deno run --allow-read encode_pairs.ts FOLDER

Run with tokenizers and transformers installed. Templates, cut lengths and segments all differ.
"""

import json
import pathlib
import random
import sys

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer

out = pathlib.Path(sys.argv[1])
random.seed(int(sys.argv[2]) if len(sys.argv) > 2 else 5)
WORDS = ("a man is asleep Awake THE dogs' running naïve café 日本語 🐦 it's 3.5 e-mail \u00ad \ufeff \t "
         "x\u0301 [SEP] [CLS] ﬁ Straße ΣΑΣ \u200b ... -- 'quoted' <|endoftext|> don't").split(" ")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
END = "<|endoftext|>"


def text(most):
    return " ".join(random.choice(WORDS) for _ in range(random.randint(0, most)))


corpus = [text(30) for _ in range(400)]


def bert(lowercase):
    found = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    found.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    found.decoder = decoders.WordPiece()
    found.train_from_iterator(corpus, trainers.WordPieceTrainer(
        vocab_size=150, special_tokens=SPECIAL, show_progress=False))
    found.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return found, {"tokenizer_class": "BertTokenizer", "do_lower_case": lowercase}


def gpt(**template):
    found = Tokenizer(models.BPE())
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    found.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=320, special_tokens=[END], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    found.post_processor = processors.TemplateProcessing(
        special_tokens=[(END, found.token_to_id(END))], **template) if template else (
        processors.ByteLevel(trim_offsets=False))
    return found, {"tokenizer_class": "GPT2Tokenizer"}


variants = {
    "bert": bert(True),
    "bert-cased": bert(False),
    "gpt2": gpt(),
    "gpt2-begin": gpt(single=f"{END} $A", pair=f"{END} $A {END} $B"),
    "gpt2-turned": gpt(single="$A", pair=f"$B $A {END}:1"),
}
cases = []
for name, (tokenizer, config) in variants.items():
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    family = name.split("-")[0]
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "config.json").write_text(json.dumps({"model_type": family}))
    reference = AutoTokenizer.from_pretrained(folder)
    for i in range(240):
        first, second, limit = text(40), text(random.choice([5, 40])), random.choice([8, 15, 16, 31, 64, 300])
        # As lists: alone, transformers 5 takes an empty second text for none.
        given = ([first],) if i % 4 == 0 else ([first], [second])
        found = reference(*given, truncation=True, max_length=limit)
        cases.append({
            "tokenizer": name, "family": family, "limit": limit,
            "input": first if i % 4 == 0 else [first, second],
            "ids": found["input_ids"][0],
            "segments": found["token_type_ids"][0] if "token_type_ids" in found else None,
        })
(out / "cases.json").write_text(json.dumps(cases, ensure_ascii=False))
print(f"{len(cases)} texts and pairs in {out}")
