"""Whether `AutoTokenizer` of `transformers` gives our ids and texts for directories that we write.

    python check_auto.py OUT

OUT is what `write_directories.ts` has written.
"""

import json
import os
import sys

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
from transformers import AutoTokenizer  # noqa: E402

root = sys.argv[1]
failed = 0
for name in sorted(os.listdir(root)):
    directory = os.path.join(root, name)
    expected = json.load(open(os.path.join(directory, "expected.json"), encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(directory)
    wrong = []
    for row in expected["rows"]:
        ids = tokenizer(row["text"], add_special_tokens=False).input_ids
        if ids != row["ids"]:
            wrong.append(f"ids of {row['text']!r}: theirs {ids[:12]}, ours {row['ids'][:12]}")
        for key, skip in [("decoded", True), ("whole", False)]:
            text = tokenizer.decode(row["ids"], skip_special_tokens=skip)
            if text != row[key]:
                wrong.append(f"{key} {row['ids'][:8]}: theirs {text!r}, ours {row[key]!r}")
    isBert = expected["model"] == "bert"
    if not isBert and tokenizer.eos_token_id != expected.get("endOfText"):
        wrong.append(f"eos: theirs {tokenizer.eos_token_id}, ours {expected.get('endOfText')}")
    if isBert and tokenizer.cls_token is None and "again" not in name:
        wrong.append("no [CLS]")
    if tokenizer.model_max_length != 128:
        wrong.append(f"model_max_length {tokenizer.model_max_length}")
    given = set(tokenizer("a").keys())
    if not isBert and "token_type_ids" in given:
        wrong.append("token types for a GPT")
    failed += bool(wrong)
    print("FAIL" if wrong else "PASS", name, *(f"\n     {fault}" for fault in wrong[:3]))
print(f"{failed} failed")
sys.exit(1 if failed else 0)
