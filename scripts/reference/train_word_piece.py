"""Python's side of compare_word_piece.ts: WordPieceTrainer on the texts of a JSON file.

Needs tokenizers: python train_word_piece.py TEXTS.json SIZE [SIZE...] prints, for each size, the
pieces of two runs in the order of their ids, and the ids that the first one gives to the texts.
"""

import json
import pathlib
import sys

import tokenizers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
texts = json.loads(pathlib.Path(sys.argv[1]).read_text())


def train(size):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def pieces_of(tokenizer):
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.get)


results = []
for size in map(int, sys.argv[2:]):
    first, second = train(size), train(size)
    encodings = first.encode_batch(texts, add_special_tokens=False)
    results.append({
        "size": size,
        "runs": [pieces_of(first), pieces_of(second)],
        "ids": [encoding.ids for encoding in encodings],
    })
print(json.dumps({"tokenizers": tokenizers.__version__, "results": results}))
