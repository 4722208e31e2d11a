"""Whether `generate` of transformers ends where ours does, in directories that written_ends.ts wrote."""

import json
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM

wrong = count = 0
for directory in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    expected = json.loads((directory / "expected.json").read_text())
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    prompt = torch.tensor([expected["prompt"]])
    out = model.generate(prompt, max_new_tokens=30, do_sample=False)[0, prompt.shape[1]:].tolist()
    # Theirs has the end itself; ours does not.
    ids = out[:-1] if out[-1] in expected["stopIds"] else out
    count += 1
    if ids != expected["ids"]:
        wrong += 1
        print(f"{directory.name}: {ids}, not {expected['ids']}")
print(f"{count} directories, {wrong} end elsewhere")
