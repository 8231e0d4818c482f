"""Recipe of the speech emotion model: RAVDESS, 8 classes, split by speaker.

The lower layers of a Whisper encoder stay as they are; a linear head on what they say is fitted to
RAVDESS alone, heard as it is and in nine variations (speed, pitch, rooms, noise, microphones,
bands, hidden stretches). EMO-DB is never trained on: it is the test of another language.

    thymos models pull speech_encoder       (Whisper base)
    thymos train speech DATA --out DIR

The encoder's answers are kept in OUT, so that a run that was cut off goes on. Six folds of three
speakers give the cross-validated scores (`speech.json`) and six heads, each of which never heard
the speakers of its fold (`speech_folds.npz`); the head in `speech.onnx` heard all eighteen.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.evaluate.classification import expected_calibration_error, fit_temperature, softmax, uar
from thymos.perceive.learned.speech import FOLDS, fold_of
from thymos.train.data import RAVDESS_LABELS, Clip, emodb, ravdess, read_pcm, trim
from thymos.train.speech_head import Head, fit_head

LAYERS = 3
VARIATIONS = 9
ROUGH = 2
"""The last variations are all in much noise."""
LONGEST_S = 12
SHARED = ("neutral", "joy", "sadness", "anger", "fear", "disgust")
"""Classes RAVDESS and EMO-DB share; calm counts as neutral, surprise and boredom are left out."""


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
    return uar(truth, shared_probs(softmax(logits[rows])).argmax(1))


def load_net(encoder: Path) -> Any:
    """Return the network with a Whisper's lower layers and an empty head."""
    from thymos.train.speech_net import from_whisper
    from thymos.train.whisper import load_encoder

    return from_whisper(load_encoder(encoder), LAYERS, len(RAVDESS_LABELS)).eval()


def features_of(net: Any, clips: list[Clip], variation: int) -> NDArray[np.float16]:
    """Return the pooled answers of the encoder [clips, features]; variation 0 is plain."""
    import torch

    from thymos.train import speech_augment as augment

    torch.manual_seed(1000 + variation)
    rough = variation > VARIATIONS - ROUGH
    found = []
    with torch.no_grad():
        for clip in clips:
            pcm = trim(read_pcm(clip.path))
            wave = torch.from_numpy(pcm / max(1e-4, float(np.abs(pcm).max())))
            mel = net.level(net.logmel((augment.vary(wave, rough) if variation else wave)[None]))
            if variation and float(torch.rand(1)) < 0.5:
                mel = augment.mask(mel)
            found.append(net.pool(mel)[0].half().numpy())
    return np.array(found)


def listen(net: Any, clips: list[Clip], out: Path, name: str, variation: int) -> Any:
    """Return `features_of`, from the file of an earlier run if there is one."""
    from thymos.train.loop import log

    path = out / f"features_{name}_{variation}.npy"
    if path.exists():
        return np.load(path)
    found = features_of(net, clips, variation)
    partial = path.with_suffix(".part")
    with partial.open("wb") as f:
        np.save(f, found)
    partial.rename(path)
    log(f"heard {name}, variation {variation}")
    return found


def save_onnx(net: Any, head: Head, path: Path) -> None:
    """Write the network with this head; 6-bit storage."""
    import torch

    from thymos.train.export import to_onnx

    with torch.no_grad():
        net.answer.weight.copy_(torch.from_numpy(head.weight.T.copy()))
        net.answer.bias.copy_(torch.from_numpy(head.bias))
    net.places = net.places[: LONGEST_S * 50].clone()  # no longer clip is given at once
    example = (torch.randn(2, 24000),)
    axes = {"pcm": {0: "batch", 1: "samples"}}
    to_onnx(net, example, path, axes, "logits", "pooled", six_bits=True)


def report(truth: Any, logits: Any, foreign: Any, there: list[Clip], folds: Any) -> dict[str, Any]:
    """Sum up out-of-fold answers to RAVDESS and each fold's answers to EMO-DB."""
    done = sorted(set(folds.tolist()))
    heat = fit_temperature(logits, truth)
    return {
        "labels": RAVDESS_LABELS,
        "temperature": heat,
        "cv_uar": uar(truth, logits.argmax(1)),
        "cv_uar_of_folds": [uar(truth[folds == k], logits[folds == k].argmax(1)) for k in done],
        "cv_ece": expected_calibration_error(softmax(logits / heat), truth),
        "emodb_uar": [emodb_uar(answers, there) for answers in foreign],
    }


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    from thymos.train.loop import log

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--encoder", type=Path, required=True, help="model.bin of Whisper base")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variations", type=int, default=VARIATIONS)
    parser.add_argument("--limit", type=int, default=0, help="clips of each speaker, for a trial")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    here, there = ravdess(args.data), emodb(args.data)
    if args.limit:
        step = max(1, 60 // args.limit)
        here, there = here[::step], there[::step]
    net = load_net(args.encoder)
    heard = [
        listen(net, here, args.out, "ravdess", k).astype(np.float32)
        for k in range(args.variations + 1)
    ]
    foreign = listen(net, there, args.out, "emodb", 0).astype(np.float32)
    truth = np.array([RAVDESS_LABELS.index(c.label) for c in here])
    folds = np.array([fold_of(c.speaker) for c in here])

    def fit(rows: NDArray[np.bool_]) -> Head:
        return fit_head(np.concatenate([h[rows] for h in heard]), np.tile(truth[rows], len(heard)))

    heads = [fit(folds != k) for k in range(FOLDS)]
    logits = np.stack([heads[k](heard[0][i]) for i, k in enumerate(folds)])
    found = report(truth, logits, [h(foreign) for h in heads], there, folds)
    heat = found["temperature"]
    final = fit(np.ones(len(truth), dtype=np.bool_)).cooled(heat)
    found["emodb_uar_final"] = emodb_uar(final(foreign), there)
    log(json.dumps(found))
    cooled = [h.cooled(heat) for h in heads]
    np.savez_compressed(
        args.out / "speech_folds.npz",
        weight=np.stack([h.weight for h in cooled]).astype(np.float16),
        bias=np.stack([h.bias for h in cooled]),
    )
    save_onnx(net, final, args.out / "speech.onnx")
    (args.out / "speech.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
