"""PyTorch's side of compare_training.ts: the run that its folder describes, with transformers' GPT-2.

Needs torch and transformers: python train_gpt2.py FOLDER prints the losses as JSON.
"""

import json
import math
import pathlib
import sys

import numpy
import torch
from transformers import GPT2LMHeadModel
from transformers.utils import logging

logging.disable_progress_bar()
folder = pathlib.Path(sys.argv[1])
run = json.loads((folder / "run.json").read_text())
model = GPT2LMHeadModel.from_pretrained(folder / "initial", dtype=torch.float32)
model.train()  # every dropout probability in config.json is zero


def read_batches(name):
    numbers = torch.from_numpy(numpy.fromfile(folder / name, dtype="<i4").astype("int64"))
    return numbers.view(-1, 2, run["batch"], run["sequence"])


def loss_of(batch):
    ids, targets = batch
    logits = model(ids).logits
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=-100
    )


def learning_rate(step):
    """Linear warm-up, then a cosine from the peak to the minimum; the first step is 0."""
    peak, lowest, warmup = run["learningRate"], run["minimumLearningRate"], run["warmupSteps"]
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    progress = (step - warmup) / (run["steps"] - warmup)
    return lowest + (peak - lowest) * 0.5 * (1 + math.cos(math.pi * progress))


@torch.no_grad()
def evaluate():
    total, count = 0.0, 0
    for batch in validation:
        counted = int((batch[1] != -100).sum())
        total += loss_of(batch).item() * counted
        count += counted
    return total / count


batches, validation = read_batches("batches.bin"), read_batches("validation.bin")
assert len(batches) == run["steps"] and len(validation) == run["validationBatches"]
decayed = [p for p in model.parameters() if p.dim() >= 2]
others = [p for p in model.parameters() if p.dim() < 2]
optimizer = torch.optim.AdamW(
    [{"params": decayed, "weight_decay": run["weightDecay"]}, {"params": others, "weight_decay": 0}],
    lr=0, betas=tuple(run["betas"]), eps=run["epsilon"],
)
losses = {"training": [], "validation": {"0": evaluate()}}
for step, batch in enumerate(batches):
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(step)
    optimizer.zero_grad()
    loss = loss_of(batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), run["clip"])
    optimizer.step()
    losses["training"].append(loss.item())
    if (step + 1) % run["evaluateEvery"] == 0 or step + 1 == run["steps"]:
        losses["validation"][str(step + 1)] = evaluate()
print(json.dumps(losses))
