"""Opens every directory that write_directories.ts wrote, with transformers and PEFT: no key may be missing,
unexpected or of another shape, and the outputs must be Vitrail's within 1e-5.

    python open_directories.py OUT
"""
import json
import os
import sys

import torch
import transformers
from peft import PeftModel
from safetensors import safe_open

transformers.logging.set_verbosity_error()
OUT = sys.argv[1]
failures = 0


def open_model(cls, directory):
    return getattr(transformers, cls).from_pretrained(
        directory, output_loading_info=True, attn_implementation="eager", dtype=torch.float32)


def check(directory, expected):
    model, info = open_model(expected["cls"], expected.get("base", directory))
    faults = {k: sorted(map(str, v)) for k, v in info.items() if v and k != "conversion_errors"}
    if "base" in expected:
        model = PeftModel.from_pretrained(model, directory)
        with safe_open(f"{directory}/adapter_model.safetensors", "pt") as file:
            names = set(file.keys())
        from peft import get_peft_model_state_dict
        known = set(get_peft_model_state_dict(model))
        if known != names:
            faults["adapter"] = sorted(known ^ names)
    with torch.no_grad():
        out = model.eval()(torch.tensor([expected["ids"]]))
    worst = 0
    for name, values in expected["outputs"].items():
        found = (torch.stack([out.start_logits, out.end_logits], -1) if name == "span_logits" else out[name]).flatten()
        ours = torch.tensor(values)
        worst = max(worst, float((found - ours).abs().max() / ours.abs().max()))
    return faults, worst


largest = 0
names = sorted(n for n in os.listdir(OUT) if os.path.exists(f"{OUT}/{n}/expected.json"))
for name in names:
    expected = json.load(open(f"{OUT}/{name}/expected.json"))
    try:
        faults, worst = check(f"{OUT}/{name}", expected)
    except Exception as e:
        if expected.get("refused") and expected["refused"] in str(e):
            print(f"refused as it should be: {name}")
            continue
        faults, worst = {type(e).__name__: str(e)[:300]}, float("inf")
    if expected.get("refused"):
        faults["opened"] = "it should be refused"
    largest = max(largest, worst)
    if faults or worst > 1e-5:
        failures += 1
        print(f"FAIL {name}: {worst:.2e} {faults}")
print(f"{len(names)} directories, {failures} failures, largest difference {largest:.2e}")
sys.exit(failures > 0)
