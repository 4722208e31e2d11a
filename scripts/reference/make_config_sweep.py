"""Tiny GPT-2 and BERT directories, each with one switch of its config.json changed, and random combinations,
with transformers' own outputs. sweep_configs.ts opens them.

    python make_config_sweep.py OUT [RANDOM] [SEED]      # RANDOM combinations (200), from SEED (1)

Every field of the configuration classes is changed, and keys that only the library's code asks for, also to
values of the wrong kind. The config.json is written as it is here, not as transformers would save it.
A case that transformers refuses has the reason in its expected.json.
"""
import dataclasses
import json
import os
import random
import shutil
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, BertConfig, GPT2Config, logging
import transformers
from transformers.activations import ACT2CLS

logging.set_verbosity_error()
OUT = sys.argv[1]
RANDOM = int(sys.argv[2]) if len(sys.argv) > 2 else 200
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 1
IDS = [[3, 1, 4, 1, 5, 9, 2, 6, 50, 0, 7]]

BASE = {
    "gpt2": dict(model_type="gpt2", vocab_size=61, n_positions=19, n_embd=15, n_layer=2, n_head=3,
                 bos_token_id=60, eos_token_id=60),
    "bert": dict(model_type="bert", vocab_size=61, max_position_embeddings=19, hidden_size=15,
                 num_hidden_layers=2, num_attention_heads=3, intermediate_size=22),
}
CONFIG = {"gpt2": GPT2Config, "bert": BertConfig}
CLASSES = {
    "gpt2": ["GPT2LMHeadModel", "GPT2Model", "GPT2DoubleHeadsModel", "GPT2ForSequenceClassification",
             "GPT2ForTokenClassification", "GPT2ForQuestionAnswering"],
    "bert": ["BertForMaskedLM", "BertModel", "BertForPreTraining", "BertLMHeadModel",
             "BertForNextSentencePrediction", "BertForSequenceClassification", "BertForMultipleChoice",
             "BertForTokenClassification", "BertForQuestionAnswering"],
}
OUTPUTS = ["logits", "prediction_logits", "seq_relationship_logits", "last_hidden_state", "pooler_output",
           "start_logits", "end_logits", "mc_logits"]

SIZES = {"vocab_size": [64], "n_positions": [23], "n_embd": [12, 16], "n_layer": [1, 3], "n_head": [1, 5, 4],
         "n_inner": [7, 33], "hidden_size": [12, 16], "num_hidden_layers": [1, 3],
         "num_attention_heads": [1, 5, 4], "intermediate_size": [7, 33], "max_position_embeddings": [23],
         "type_vocab_size": [1, 3], "chunk_size_feed_forward": [1, 11], "num_labels": [1, 2, 3, 5]}
WORDS = {
    "summary_type": ["cls_index", "last", "first", "mean", "attn", "banana"],
    "problem_type": ["regression", "single_label_classification", "multi_label_classification", "banana"],
    "dtype": ["float32", "float16", "banana"], "torch_dtype": ["float32", "bfloat16", "banana"],
    "position_embedding_type": ["absolute", "relative_key", "relative_key_query"],
    "summary_activation": ["tanh", "relu", "banana"], "model_type": ["llama"],
    "attn_implementation": ["eager"], "_attn_implementation": ["eager", "sdpa"],
    "transformers_weights": ["other.safetensors"], "name_or_path": ["some/where"],
    "transformers_version": ["4.6.0.dev0"], "finetuning_task": ["mnli"],
}
OBJECTS = {
    "id2label": [{"0": "a", "1": "b", "2": "c"}, {"1": "a", "0": "b"}, {"5": "a", "7": "b"}, {}, ["a"],
                 {"a": "b"}, {"0": 1, "1": 2}],
    "label2id": [{"a": 0, "b": 1}],
    "architectures": [[], None, ["XLNetModel"], "GPT2LMHeadModel", [3]],
    "pruned_heads": [{}, {"0": [1]}], "per_layer_config": [{}, {"0": {"n_inner": 5}}],
    "quantization_config": [{}, {"quant_method": "bitsandbytes", "load_in_4bit": True}],
    "layer_types": [["full_attention"] * 2, ["sliding_attention"] * 2],
    "eos_token_id": [[5, 6], [5, "6"], []], "auto_map": [{"AutoModel": "x.Y"}],
    "task_specific_params": [{"text-generation": {"do_sample": True}}],
}
EXTRA = ["torch_dtype", "num_labels", "is_causal", "layer_types", "sliding_window", "pruned_heads",
         "per_layer_config", "quantization_config", "position_embedding_type", "tie_encoder_decoder",
         "gradient_checkpointing", "hidden_dropout", "classifier_dropout", "output_attentions",
         "attn_implementation", "_attn_implementation", "n_ctx", "finetuning_task", "name_or_path",
         "summary_last_dropout", "attention_chunk_size", "transformers_weights", "torchscript",
         "sep_token_id", "cross_attention_hidden_size", "use_bidirectional_attention", "max_length",
         "temperature", "num_beams", "task_specific_params", "auto_map", "model_type", "hidden_size",
         "max_position_embeddings", "num_attention_heads", "num_hidden_layers", "directionality"]
BOOLEANS = ["is_causal", "tie_encoder_decoder", "gradient_checkpointing", "output_attentions", "torchscript",
            "use_bidirectional_attention"]
NUMBERS = ["hidden_dropout", "classifier_dropout", "summary_last_dropout", "temperature"]


def values(family, key):
    """What a key is changed to: the right and the wrong."""
    fields = {f.name: f for f in dataclasses.fields(CONFIG[family])}
    kind = str(fields[key].type) if key in fields else ""
    if key in OBJECTS:
        return OBJECTS[key] + ([None, 5, -1, "5", 999] if key == "eos_token_id" else ["banana"])
    if key in WORDS:
        return WORDS[key] + [None, 3]
    if key in ("activation_function", "hidden_act"):
        return sorted(ACT2CLS) + ["banana", None, 3, ["gelu"]]
    if key.endswith("_token_id"):
        return [None, 5, -1, 999, "5", 1.5, [5]]
    if key in BOOLEANS or "bool" in kind:
        return [True, False, None, 1, "yes", []]
    if key in NUMBERS or "float" in kind:
        usual = [1e-3, 1e-9] if "eps" in key else [0.0, 0.25]
        return usual + [0.0, -0.5, 2.0, 1.0, "0.1", None, True, []]
    huge = [10**15] if key in SIZES and key != "chunk_size_feed_forward" else []
    return SIZES.get(key, [2]) + [0, -1, 1.5, "3", None, True] + huge


def randomize(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        is_norm = ("ln_" in name or "LayerNorm" in name) and name.endswith("weight")
        p.data = torch.randn(p.shape, generator=generator) * 0.3 + (1 if is_norm else 0)
    model.tie_weights()
    return model.eval()


def save_weights(model, directory):
    seen, tensors = set(), {}
    for name, t in model.state_dict().items():
        if t.data_ptr() in seen and t.numel():
            continue
        seen.add(t.data_ptr())
        tensors[name] = t.contiguous()
    save_file(tensors, f"{directory}/model.safetensors", metadata={"format": "pt"})


def expected(directory, config_json, cls):
    """Makes weights for the configuration, opens the directory as a user would, and gives its outputs."""
    if any(isinstance(v, int) and not isinstance(v, bool) and v > 10**6 for v in config_json.values()):
        raise ValueError("too large to try")
    config = AutoConfig.from_pretrained(directory)
    save_weights(randomize(cls(config), 1), directory)
    model = cls.from_pretrained(directory, attn_implementation="eager", dtype=torch.float32).eval()
    ids = torch.tensor(IDS)
    with torch.no_grad():
        out = model(ids[None] if cls.__name__.endswith("MultipleChoice") else ids, return_dict=True)
    outputs = {k: out[k] for k in OUTPUTS if isinstance(out.get(k), torch.Tensor)}
    if not all(t.isfinite().all() for t in outputs.values()):
        raise ValueError("its outputs are not finite")
    return {k: {"shape": list(t.shape), "values": t.flatten().tolist()} for k, t in outputs.items()}


number = 0


def case(family, cls_name, changes):
    global number
    name = f"{number:04d}_{cls_name}_" + "_".join(changes)
    number += 1
    directory = f"{OUT}/{name}"[:180]
    os.makedirs(directory)
    config_json = {"architectures": [cls_name], **BASE[family], **changes}
    json.dump(config_json, open(f"{directory}/config.json", "w"))
    record = dict(family=family, cls=cls_name, changes=changes, ids=IDS[0])
    try:
        named = config_json["architectures"] or [cls_name if family == "gpt2" else "BertModel"]
        record["cls"] = named[0] if isinstance(named, list) and hasattr(transformers, str(named[0])) else cls_name
        record["outputs"] = expected(directory, config_json, getattr(transformers, record["cls"]))
    except Exception as e:
        record["refused"] = f"{type(e).__name__}: {e}".replace("\n", " ")[:300]
        try:  # the opener must meet the configuration, not missing weights
            plain = {k: v for k, v in {**BASE[family]}.items() if k != "model_type"}
            save_weights(getattr(transformers, cls_name)(CONFIG[family](**plain)), directory)
        except Exception:
            pass
    json.dump(record, open(f"{directory}/expected.json", "w"))


shutil.rmtree(OUT, ignore_errors=True)
for family, config in CONFIG.items():
    fields = [f.name for f in dataclasses.fields(config)]
    keys = list(dict.fromkeys(fields + EXTRA))
    for cls_name in CLASSES[family]:
        case(family, cls_name, {})
    for key in keys:
        for value in values(family, key):
            case(family, CLASSES[family][0], {key: value})
    for key in ["id2label", "num_labels", "problem_type", "classifier_dropout", "pad_token_id"]:
        for cls_name in CLASSES[family][3:]:
            for value in values(family, key):
                case(family, cls_name, {key: value})
    for cls_name in CLASSES[family]:
        case(family, cls_name, {"tie_word_embeddings": False})
print(number, "single changes")

chance = random.Random(SEED)
LIKELY = {
    "gpt2": {"n_inner": [7, 33], "activation_function": [a for a in ACT2CLS if a not in ("prelu", "xielu")],
             "layer_norm_epsilon": [1e-3, 1e-9], "scale_attn_weights": [False],
             "scale_attn_by_inverse_layer_idx": [True], "reorder_and_upcast_attn": [True],
             "tie_word_embeddings": [False], "n_head": [1, 5], "n_layer": [1, 3], "hidden_size": [12],
             "num_hidden_layers": [4], "num_labels": [1, 3], "pad_token_id": [None, 5],
             "eos_token_id": [[5, 6], None], "summary_type": ["mean"], "use_cache": [False],
             "attn_pdrop": [0.0], "problem_type": ["regression"], "torch_dtype": ["float16"]},
    "bert": {"intermediate_size": [7, 33], "hidden_act": [a for a in ACT2CLS if a not in ("prelu", "xielu")],
             "layer_norm_eps": [1e-3, 1e-9], "tie_word_embeddings": [False], "num_attention_heads": [1, 5],
             "num_hidden_layers": [1, 3], "hidden_size": [30], "type_vocab_size": [1, 3],
             "classifier_dropout": [0.0, 0.3], "chunk_size_feed_forward": [1], "num_labels": [1, 3],
             "pad_token_id": [None, 5], "use_cache": [False], "hidden_dropout_prob": [0.0],
             "id2label": [{"0": "a", "1": "b", "2": "c"}], "torch_dtype": ["float16"]},
}
for _ in range(RANDOM):
    family = chance.choice(["gpt2", "bert"])
    likely = LIKELY[family]
    changes = {k: chance.choice(likely[k]) for k in chance.sample(sorted(likely), chance.randint(2, 6))}
    if chance.random() < 0.3:
        fields = [f.name for f in dataclasses.fields(CONFIG[family])] + EXTRA
        key = chance.choice(fields)
        changes[key] = chance.choice(values(family, key))
    case(family, chance.choice(CLASSES[family]), changes)
print(number, "in all")
