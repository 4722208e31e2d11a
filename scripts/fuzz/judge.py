"""Asks the reference libraries about mutants that Vitrail accepted (`fuzz.ts --keep FOLDER`).

    VENV/bin/python scripts/fuzz/judge.py FOLDER

Prints what a reference refuses and Vitrail reads, by kind. Not every line is a fault: transformers refuses some
configurations by rules of its own, which Vitrail, that builds one model, does not need.
"""

import collections
import csv
import json
import os
import sys
import tempfile

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

from peft import PeftConfig
from safetensors import safe_open
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoTokenizer


def safetensors_file(path):
    with safe_open(path, "pt") as file:
        for name in file.keys():
            file.get_tensor(name)


def in_directory(path, name, load):
    with tempfile.TemporaryDirectory() as directory:
        with open(path, "rb") as source, open(f"{directory}/{name}", "wb") as target:
            target.write(source.read())
        load(directory)


def config(path):
    in_directory(path, "config.json", AutoConfig.from_pretrained)


def adapter_config(path):
    in_directory(path, "adapter_config.json", PeftConfig.from_pretrained)


def tokenizer(path):
    Tokenizer.from_file(path).encode("Call me Ishmael. 12345")


def lines(path):
    with open(path, encoding="utf-8-sig", newline="\n") as file:
        for line in file.read().split("\n"):
            if line.strip():
                json.loads(line)


def whole_json(path):
    with open(path, encoding="utf-8") as file:
        json.load(file)


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        delimiter = "\t" if path.endswith(".tsv") else ","
        list(csv.reader(file, strict=True, delimiter=delimiter))


def judge_of(name):
    if name.endswith(".safetensors"):
        return safetensors_file
    if name.endswith("adapter_config.json"):
        return adapter_config
    if name.endswith("generation_config.json"):
        return whole_json
    if name.endswith("tokenizer_config.json"):
        return whole_json
    if name.endswith("config.json"):
        return config
    if name.endswith("tokenizer.json"):
        return tokenizer
    if name.endswith(".jsonl"):
        return lines
    if name.endswith(".json"):
        return whole_json
    if name.endswith((".csv", ".tsv")):
        return table
    return None


def main(folder):
    refused = collections.defaultdict(list)
    counts = collections.Counter()
    for kind in sorted(os.listdir(folder)):
        for name in sorted(os.listdir(f"{folder}/{kind}")):
            path = f"{folder}/{kind}/{name}"
            judge = judge_of(name)
            if judge is None:
                continue
            counts[kind] += 1
            try:
                judge(path)
            except BaseException as error:  # a panic of Rust is no Exception
                words = f"{type(error).__name__}: {error}".replace("\n", " ")
                refused[kind].append((name, words[:160]))
    for kind, found in refused.items():
        print(f"{kind}: {len(found)} of {counts[kind]} accepted are refused by the reference")
        for name, words in found:
            print(f"    {name}: {words}")
    print(f"{sum(map(len, refused.values()))} of {sum(counts.values())}")


main(sys.argv[1])
