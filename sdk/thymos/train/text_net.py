"""A small BERT with the emotion heads, and the pruning of its vocabulary."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Layer(nn.Module):
    """Post-norm transformer layer of BERT."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1 = nn.LayerNorm(width, eps=1e-12)
        self.norm2 = nn.LayerNorm(width, eps=1e-12)
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """See the class."""
        n, t, _ = x.shape
        size = self.width // self.heads
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, size).unbind(2)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
        x = self.norm1(x + self.drop(self.out(y.transpose(1, 2).reshape(n, t, self.width))))
        return self.norm2(x + self.drop(self.down(functional.gelu(self.up(x)))))


class TextNet(nn.Module):
    """Token numbers [n, tokens] (0 pads) to logits [n, classes], mean-pooled as MiniLM is."""

    def __init__(self, vocabulary: int, layers: int, classes: int, width: int = 384) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(torch.zeros(128, width))
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList([Layer(width, 12) for _ in range(layers)])
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(width, classes)

    def forward(self, ids: Tensor) -> Tensor:
        """See the class."""
        there = (ids != 0).float()
        bias = (1 - there)[:, None, None, :] * -1e4
        x = self.drop(self.norm(self.words(ids) + self.places[: ids.shape[1]]))
        for layer in self.layers:
            x = layer(x, bias)
        mean = (x * there[:, :, None]).sum(1) / there.sum(1, keepdim=True).clamp(min=1)
        return self.head(self.drop(mean))


def from_minilm(
    weights: dict[str, Tensor], keep: list[int], tokens: list[int], classes: int
) -> TextNet:
    """Build the network from some layers and some tokens of MiniLM's safetensors."""
    net = TextNet(len(tokens), len(keep), classes)

    def get(name: str) -> Tensor:
        return weights[name if name in weights else "bert." + name].float()

    kind = get("embeddings.token_type_embeddings.weight")[0]
    net.words.weight.data.copy_(get("embeddings.word_embeddings.weight")[tokens])
    net.places.data.copy_(get("embeddings.position_embeddings.weight")[:128] + kind)
    net.norm.weight.data.copy_(get("embeddings.LayerNorm.weight"))
    net.norm.bias.data.copy_(get("embeddings.LayerNorm.bias"))
    for layer, number in zip(net.layers, keep, strict=True):
        at = f"encoder.layer.{number}."
        for part in ("weight", "bias"):
            three = [get(f"{at}attention.self.{k}.{part}") for k in ("query", "key", "value")]
            getattr(layer.qkv, part).data.copy_(torch.cat(three))
            for mine, name in (
                ("out", "attention.output.dense"), ("norm1", "attention.output.LayerNorm"),
                ("up", "intermediate.dense"), ("down", "output.dense"),
                ("norm2", "output.LayerNorm"),
            ):  # fmt: skip
                getattr(getattr(layer, mine), part).data.copy_(get(f"{at}{name}.{part}"))
    return net


def small_tokenizer(source: Path, texts: list[str], size: int) -> tuple[str, list[int]]:
    """Prune a WordPiece tokenizer to the tokens that texts use most.

    Single characters and special tokens always stay, so that no word is lost: what has no token
    of its own any more is spelled with shorter ones.

    Returns:
        The JSON of the small tokenizer, and the old number of each new token.
    """
    from tokenizers import Tokenizer

    full = Tokenizer.from_file(str(source))
    full.no_padding()
    full.no_truncation()
    counts: Counter[int] = Counter()
    for encoding in full.encode_batch(texts):
        counts.update(encoding.ids)
    spec: dict[str, Any] = json.loads(full.to_str())
    old: dict[str, int] = spec["model"]["vocab"]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    plain = [
        t for t in old if len(t.removeprefix("##")) == 1 and (t.isascii() or counts[old[t]] > 1)
    ]
    by_use = sorted(old, key=lambda t: (-counts[old[t]], old[t]))
    names = list(dict.fromkeys(special + sorted(plain) + by_use))[:size]
    new = {name: i for i, name in enumerate(names)}
    spec["model"]["vocab"] = new
    for added in spec["added_tokens"]:
        added["id"] = new[added["content"]]
    for token, entry in spec["post_processor"].get("special_tokens", {}).items():
        entry["ids"] = [new[token]]
    for pair in ("sep", "cls"):
        if pair in spec["post_processor"]:
            spec["post_processor"][pair][1] = new[spec["post_processor"][pair][0]]
    spec["padding"] = spec["truncation"] = None
    text = json.dumps(spec, ensure_ascii=False, separators=(",", ":"))
    Tokenizer.from_str(text)  # must load
    return text, [old[name] for name in names]
