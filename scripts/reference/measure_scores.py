"""Writes small, often degenerate predictions, and what scikit-learn, SciPy and seqeval say of each.

    python measure_scores.py FOLDER [SEED]
    deno run --allow-read measure_scores.ts FOLDER

Run with scikit-learn, scipy and seqeval installed. What is undefined there is `null`.
"""

import json
import pathlib
import random
import sys
import warnings

import numpy as np
import seqeval.metrics as entities
import sklearn.metrics as classes
from scipy.stats import pearsonr, spearmanr

warnings.filterwarnings("ignore")
out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
random.seed(int(sys.argv[2]) if len(sys.argv) > 2 else 2)
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
cases = []


def defined(value):
    return None if np.isnan(value) else float(value)


def rows(count, width):
    return [[int(random.random() < random.choice([0, 0.5])) for _ in range(width)] for _ in range(count)]


def sentences(count, words):
    return [[random.choice(TAGS[:random.choice([1, 5])]) for _ in range(words)] for _ in range(count)]


for _ in range(1500):
    n, k = random.choice([1, 2, 3, 5, 8]), random.choice([2, 3, 4])
    few = random.choice([1, 2, k])
    truth = [random.randrange(few) for _ in range(n)]
    found = [random.randrange(random.choice([1, k])) for _ in range(n)]
    precision, recall, f1, _ = classes.precision_recall_fscore_support(
        truth, found, labels=range(k), zero_division=0)
    cases.append({"kind": "single", "labels": k, "truth": truth, "found": found, "wanted": [
        classes.accuracy_score(truth, found),
        classes.f1_score(truth, found, average="macro", zero_division=0),
        *precision, *recall, *f1,
    ]})
    truth, found = rows(n, k), rows(n, k)
    cases.append({"kind": "multiple", "labels": k, "truth": truth, "found": found, "wanted": [
        classes.accuracy_score(np.array(truth), np.array(found)),
        *(classes.f1_score(truth, found, average=a, zero_division=0) for a in ("macro", "micro")),
    ]})
    truth = [random.choice([0, 1, 2, 3.5]) for _ in range(n)] if random.random() < 0.8 else [1] * n
    found = [random.choice([0, 1, 2, 3.5, -1]) for _ in range(n)]
    cases.append({"kind": "number", "labels": 1, "truth": truth, "found": found, "wanted": [
        defined(pearsonr(truth, found)[0]) if n > 1 else None,
        defined(spearmanr(truth, found)[0]) if n > 1 else None,
    ]})
    count, words = random.choice([1, 3]), random.choice([1, 2, 5])
    truth, found = sentences(count, words), sentences(count, words)
    cases.append({"kind": "tags", "labels": 0, "truth": truth, "found": found, "wanted": [
        float(score(truth, found)) for score in (
            entities.accuracy_score, entities.precision_score, entities.recall_score,
            entities.f1_score)
    ]})
(out / "cases.json").write_text(json.dumps(cases))
print(f"{len(cases)} predictions in {out}")
