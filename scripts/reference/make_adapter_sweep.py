"""Adapters by PEFT on tiny GPT-2 and BERT models: every option one at a time, and random combinations, with
PEFT's own outputs after saving and loading. sweep_adapters.ts opens them.

    python make_adapter_sweep.py OUT [RANDOM] [SEED]      # RANDOM combinations (150), from SEED (1)
"""
import inspect
import json
import os
import random
import shutil
import sys
import warnings

import peft
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model

warnings.simplefilter("ignore")
transformers.logging.set_verbosity_error()
OUT = os.path.abspath(sys.argv[1])
RANDOM = int(sys.argv[2]) if len(sys.argv) > 2 else 150
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 1
IDS = [[3, 1, 4, 1, 5, 9, 2, 6, 10, 0, 7]]
SIZE = {
    "gpt2": dict(vocab_size=29, n_positions=13, n_embd=12, n_layer=2, n_head=3, bos_token_id=28, eos_token_id=28,
                 pad_token_id=28),
    "bert": dict(vocab_size=29, max_position_embeddings=13, hidden_size=12, num_hidden_layers=2,
                 num_attention_heads=3, intermediate_size=20),
}
# Name of a base: its class, more of its configuration, what is adapted if nothing else is said, PEFT's task.
BASES = {
    "gpt": ("GPT2LMHeadModel", {}, ["c_attn"], "CAUSAL_LM"),
    "gpt_untied": ("GPT2LMHeadModel", dict(tie_word_embeddings=False), ["c_attn"], "CAUSAL_LM"),
    "gpt_classes": ("GPT2ForSequenceClassification", dict(num_labels=3), ["c_attn"], "SEQ_CLS"),
    "bert": ("BertForMaskedLM", {}, ["query", "value"], None),
    "bert_classes": ("BertForSequenceClassification", dict(num_labels=3), ["query", "value"], "SEQ_CLS"),
    "bert_tags": ("BertForTokenClassification", dict(num_labels=3), ["query", "value"], "TOKEN_CLS"),
}
OUTPUTS = ["logits"]


def make_base(name):
    cls_name, changes, _, _ = BASES[name]
    cls = getattr(transformers, cls_name)
    torch.manual_seed(1)
    model = cls(cls.config_class(**{**SIZE["bert" if name.startswith("bert") else "gpt2"], **changes}))
    for n, p in model.named_parameters():
        is_norm = ("ln_" in n or "LayerNorm" in n) and n.endswith("weight")
        p.data = torch.randn_like(p) * 0.3 + (1 if is_norm else 0)
    model.tie_weights()
    model.save_pretrained(f"{OUT}/bases/{name}")


def load_base(name):
    cls = getattr(transformers, BASES[name][0])
    return cls.from_pretrained(f"{OUT}/bases/{name}", attn_implementation="eager").eval()


INITS = [True, False, "gaussian", "eva", "orthogonal", "mica", "olora", "pissa", "pissa_niter_4", "loftq", "corda",
         "lora_ga"]
# Options whose own preparation is left out: a plain adapter is saved, and its configuration says the option.
UNPREPARED = {"corda", "lora_ga"}
GPT_WHOLE = [["lm_head"], ["wte"], ["wte", "lm_head"], ["ln_f"], ["mlp"], ["wpe"], ["c_proj"]]
BERT_WHOLE = [["classifier"], ["pooler"], ["cls"], ["decoder"], ["word_embeddings"], ["query"], ["LayerNorm"],
              ["intermediate"], ["position_embeddings"]]
COMMON = {
    "init_lora_weights": INITS, "bias": ["none", "all", "lora_only"], "use_dora": [True], "use_rslora": [True],
    "lora_bias": [True], "r": [1, 5], "lora_alpha": [1, 7.5, 32], "lora_dropout": [0.2],
    "layers_to_transform": [[0], 1], "ensure_weight_tying": [True], "fan_in_fan_out": [True, False],
    "trainable_token_indices": [[1, 2]], "layer_replication": [[(0, 2), (1, 2)]],
    "inference_mode": [True], "runtime_config": [None], "megatron_config": [{"x": 1}], "alora_invocation_tokens": [[5]],
    "use_qalora": [True], "kasa_config": [{}], "velora_config": [{}], "monteclora_config": [{}],
    "arrow_config": [{}], "use_bdlora": [{}],
}
OPTIONS = {
    "gpt": {
        **COMMON, "modules_to_save": GPT_WHOLE,
        "target_modules": [["c_attn", "c_fc"], ["attn.c_proj"], r".*h\.1\..*c_proj", "all-linear", ["wte"], ["wpe"],
                           ["c_attn", "wte"], ["lm_head"], ["c_attn", "lm_head"], ["ln_1"]],
        "exclude_modules": [["h.0.attn.c_attn"], r".*h\.1\..*"], "rank_pattern": [{"h.1.attn.c_attn": 3}],
        "alpha_pattern": [{"h.1.attn.c_attn": 3}, {"c_attn": 20}, {r"h\.[0]\..*": 9}],
        "target_parameters": [["h.0.mlp.c_fc.weight"]], "layers_pattern": ["h"],
    },
    "bert": {
        **COMMON, "modules_to_save": BERT_WHOLE,
        "target_modules": [["query", "key", "value"], ["dense"], ["output.dense"], "all-linear", r".*layer\.1.*query",
                           ["word_embeddings"], ["decoder"], ["query", "transform.dense"]],
        "exclude_modules": [["layer.0.attention.self.query"]], "rank_pattern": [{"query": 3}],
        "alpha_pattern": [{"query": 3}, {r"layer\.1\..*": 9}],
        "target_parameters": [["layer.0.output.dense.weight"]],
    },
}
number = 0


def logits(model, base):
    with torch.no_grad():
        out = model(torch.tensor(IDS))
    return {k: dict(shape=list(out[k].shape), values=out[k].flatten().tolist()) for k in OUTPUTS}


def case(base, changes, make=None):
    """Trains nothing: all that an adapter would train gets random numbers, is saved, and loaded again."""
    global number
    label = "_".join(f"{k}" for k in changes)
    directory = f"{OUT}/adapters/{number:04d}_{base}_{label}"[:170]
    number += 1
    os.makedirs(directory)
    record = dict(base=f"{OUT}/bases/{base}", family="bert" if base.startswith("bert") else "gpt2",
                  cls=BASES[base][0], changes={k: repr(v) for k, v in changes.items()}, ids=IDS[0])
    try:
        torch.manual_seed(number)
        _, _, targets, task = BASES[base]
        unprepared = changes.get("init_lora_weights") in UNPREPARED
        given = {**changes, "init_lora_weights": True} if unprepared else changes
        settings = {"r": 4, "lora_alpha": 8, "target_modules": targets, "task_type": task, **given}
        if settings.get("init_lora_weights") == "loftq":
            settings["loftq_config"] = peft.LoftQConfig(loftq_bits=4)
        config = make() if make else LoraConfig(**settings)
        model = get_peft_model(load_base(base), config)
        for n, p in model.named_parameters():
            if p.requires_grad:
                p.data = p.data + torch.randn_like(p) * 0.2
        model.eval()
        model.save_pretrained(directory)
        if unprepared:
            path = f"{directory}/adapter_config.json"
            config_json = {**json.load(open(path)), "init_lora_weights": changes["init_lora_weights"]}
            json.dump(config_json, open(path, "w"))
            raise ValueError("prepared from data, which loading does not have")
        record["outputs"] = logits(PeftModel.from_pretrained(load_base(base), directory).eval(), base)
        trained = logits(model, base)["logits"]["values"]
        off = max(abs(a - b) for a, b in zip(trained, record["outputs"]["logits"]["values"]))
        record["off_the_trained"] = off
    except Exception as e:
        record["refused"] = f"{type(e).__name__}: {e}".replace("\n", " ")[:300]
    if not os.path.exists(f"{directory}/adapter_config.json"):
        shutil.rmtree(directory)
        return
    json.dump(record, open(f"{directory}/expected.json", "w"))


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    for base in BASES:
        make_base(base)
        case(base, {})
    for base in BASES:
        kind = "bert" if base.startswith("bert") else "gpt"
        for key, values in OPTIONS[kind].items():
            for value in values:
                case(base, {key: value})
    for base in ["gpt", "bert"]:
        for name in ["IA3", "AdaLora", "LoHa", "LoKr", "OFT", "BOFT", "VeRA", "FourierFT", "HRA", "LNTuning",
                     "PromptTuning", "PrefixTuning", "VBLoRA", "TrainableTokens", "RandLora", "C3A"]:
            cls = getattr(peft, f"{name}Config", None) or getattr(peft, f"{name.upper()}Config", None)
            if cls is None:
                continue
            usual = {"task_type": BASES[base][3], "target_modules": BASES[base][2], "num_virtual_tokens": 3,
                     "token_indices": [1], "total_step": 3, "block_size": 4, "n_frequency": 5}
            names = inspect.signature(cls).parameters
            case(base, {"peft_type": name}, lambda: cls(**{k: v for k, v in usual.items() if k in names}))
    print(number, "single options")
    chance = random.Random(SEED)
    for _ in range(RANDOM):
        base = chance.choice(sorted(BASES))
        options = OPTIONS["bert" if base.startswith("bert") else "gpt"]
        likely = ["init_lora_weights", "modules_to_save", "bias", "use_dora", "use_rslora", "rank_pattern",
                  "alpha_pattern", "target_modules", "layers_to_transform", "r"]
        keys = chance.sample([k for k in likely if k in options], chance.randint(2, 4))
        case(base, {k: chance.choice(options[k]) for k in keys})
    print(number, "in all")
