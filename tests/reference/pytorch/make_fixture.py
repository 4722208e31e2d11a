"""Writes fixture.json: what PyTorch and transformers compute in float64 on small odd shapes.

Run in this folder with PyTorch and transformers installed:

    python make_fixture.py && deno fmt fixture.json
"""

import json

import torch
import torch.nn.functional as F
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

torch.set_default_dtype(torch.float64)
torch.manual_seed(2)


def flat(**tensors):
    """Lists of numbers; null stands for minus infinity."""
    lists = {name: tensor.detach().flatten().tolist() for name, tensor in tensors.items()}
    return {name: [None if n == -float("inf") else n for n in ns] for name, ns in lists.items()}


def leaf(*shape):
    return torch.randn(*shape, requires_grad=True)


def gelu(approximate):
    x = leaf(13)
    out = F.gelu(3 * x, approximate=approximate)
    d_out = torch.randn(13)
    (d_x,) = torch.autograd.grad(out, x, d_out)
    return flat(x=3 * x, dOut=d_out, out=out, dX=d_x / 3)


def layer_norm():
    x, weight, bias, d_out = leaf(5, 7), leaf(7), leaf(7), torch.randn(5, 7)
    out = F.layer_norm(x, (7,), weight, bias, 1e-5)
    d_x, d_weight, d_bias = torch.autograd.grad(out, (x, weight, bias), d_out)
    return flat(x=x, weight=weight, bias=bias, dOut=d_out, out=out, dX=d_x, dWeight=d_weight, dBias=d_bias)


def cross_entropy():
    logits, targets = leaf(5, 7), torch.tensor([0, -100, 3, 6, 6])
    loss = F.cross_entropy(logits, targets)
    (d_logits,) = torch.autograd.grad(loss, logits)
    return flat(logits=logits, targets=targets, loss=loss, dLogits=d_logits)


def attention():
    qkv, mask = leaf(2, 5, 27), torch.randn(2, 1, 5, 5)
    mask[0, 0, :, 1] = -float("inf")
    q, k, v = (part.view(2, 5, 3, 3).transpose(1, 2) for part in qkv.split(9, 2))
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(2, 5, 9)
    d_out = torch.randn(2, 5, 9)
    (d_qkv,) = torch.autograd.grad(out, qkv, d_out)
    return flat(qkv=qkv, mask=mask, dOut=d_out, out=out, dQkv=d_qkv)


def adamw():
    """Four updates, the gradient clipped to a norm of one before each."""
    value = leaf(9)
    start = value.detach().clone()
    optimizer = torch.optim.AdamW([value], lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    gradients, values = [], []
    for _ in range(4):
        gradient = torch.randn(9)
        gradients.append(gradient)
        value.grad = gradient.clone()
        torch.nn.utils.clip_grad_norm_([value], 1.0)
        optimizer.step()
        values.append(value.detach().clone())
    return flat(start=start, gradients=torch.stack(gradients), values=torch.stack(values))


def sampling():
    """The filters of generation, in the order in which transformers applies them."""
    logits, ids = 3 * torch.randn(1, 41), torch.tensor([[5, 9, 40, 9]])
    kept = logits
    for rule in (
        RepetitionPenaltyLogitsProcessor(1.3),
        TemperatureLogitsWarper(0.8),
        TopKLogitsWarper(23),
        TopPLogitsWarper(0.9),
        MinPLogitsWarper(0.03),
    ):
        kept = rule(ids, kept.clone())
    return flat(logits=logits, seen=ids, probabilities=kept.softmax(-1))


fixture = {
    "geluErf": gelu("none"),
    "geluTanh": gelu("tanh"),
    "layerNorm": layer_norm(),
    "crossEntropy": cross_entropy(),
    "attention": attention(),
    "adamw": adamw(),
    "sampling": sampling(),
}
with open("fixture.json", "w") as file:
    json.dump(fixture, file)
