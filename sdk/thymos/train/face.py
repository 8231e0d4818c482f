"""Recipe of the facial expression model: FER2013, 7 classes, 48x48 grey.

The small network learns from the labels, on pictures varied as a detector, a camera and a room
would vary them, two at a time mixed (mixup). With `--teachers N` it learns instead from N larger
networks' answers to those very pictures (consistent teaching: Beyer et al., CVPR 2022); with the
short training that was tried this did not win on the validation part, so none is the default.

    python -m thymos.train.face DATA --out DIR
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from thymos.evaluate.classification import (
    accuracy,
    expected_calibration_error,
    fit_temperature,
    softmax,
    uar,
)
from thymos.train.data import FACE_LABELS, Faces, fer2013


def run(  # noqa: PLR0917
    data: Path, out: Path, epochs: int, teachers: int, limit: int, seconds: float, batch: int = 256
) -> None:
    """Train, calibrate on the validation part and write `face.onnx` and `face.json` to `out`."""
    import torch

    from thymos.train.export import to_onnx
    from thymos.train.face_net import student, teacher
    from thymos.train.loop import log, pick_device

    device = pick_device()
    faces = fer2013(data)
    parts = {p: faces.part(p) for p in ("train", "val", "test")}
    if limit:
        batch = 16
        parts = {
            p: Faces(f.images[:limit], f.labels[:limit], f.groups[:limit]) for p, f in parts.items()
        }
    log(f"{ {p: len(f.labels) for p, f in parts.items()} } on {device}")
    wise: list[Any] = []
    for seed in range(teachers):
        net = _fit(teacher(), parts["train"], [], epochs // 2, batch, seed, device, seconds)
        wise.append(net)
        log(f"teacher {seed}: val {_score(net, parts['val'], device)}")
    net = _fit(student(), parts["train"], wise, epochs, batch, 100, device, 2 * seconds)
    logits = {p: _logits(net, parts[p], device) for p in ("val", "test")}
    if wise:
        both = np.mean([softmax(_logits(t, parts["val"], device)) for t in wise], axis=0)
        log(f"teachers together: val {accuracy(parts['val'].labels, both.argmax(1)):.4f}")
    heat = fit_temperature(logits["val"], parts["val"].labels)
    report: dict[str, object] = {"temperature": heat, "labels": FACE_LABELS}
    for part, values in logits.items():
        truth = parts[part].labels
        report[part] = {
            "n": len(truth),
            "accuracy": accuracy(truth, values.argmax(1)),
            "uar": uar(truth, values.argmax(1)),
            "ece": expected_calibration_error(softmax(values / heat), truth),
        }
    log(json.dumps(report))
    out.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), out / "face.pt")
    with torch.no_grad():
        net.head.weight /= heat  # the file gives calibrated probabilities as it is
        net.head.bias /= heat
    example = (torch.zeros(2, 1, 48, 48),)
    to_onnx(net, example, out / "face.onnx", {"faces": {0: "batch"}}, "logits")
    (out / "face.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def _fit(  # noqa: PLR0917
    net: Any,
    part: Faces,
    wise: list[Any],
    epochs: int,
    batch: int,
    seed: int,
    device: Any,
    seconds: float,
) -> Any:
    """Train one network; `wise` are the teachers, or none for plain labels."""
    import torch
    from torch.nn import functional

    from thymos.train.face_net import augment
    from thymos.train.loop import train

    net = net.to(device, memory_format=torch.channels_last)
    images = torch.from_numpy(part.images).to(device)
    labels = functional.one_hot(torch.from_numpy(part.labels), 7).float().to(device)
    strength = torch.tensor(0.3, device=device)
    mix = torch.distributions.Beta(strength, strength)

    def loss_of(model: Any, rows: Any) -> Any:
        with torch.no_grad():
            x = augment(images[rows][:, None].float())
            y = labels[rows]
            share = mix.sample((len(rows), 1))
            other = torch.randperm(len(rows), device=device)
            x = x.lerp(x[other], share[:, :, None, None])
            y = y.lerp(y[other], share)
        if not wise:
            return functional.cross_entropy(model(x), y, label_smoothing=0.1)
        with torch.no_grad():
            soft = torch.stack([functional.softmax(t(x).float(), 1) for t in wise]).mean(0)
        return functional.cross_entropy(model(x), 0.8 * soft + 0.2 * y)

    groups = [{"params": list(net.parameters()), "lr": 3e-3}]
    return train(
        net, loss_of, len(labels), epochs, batch, groups, seed, weight_decay=0.05, seconds=seconds
    )


def _logits(net: Any, part: Faces, device: Any) -> Any:
    """Return logits [n, 7], averaged over each picture and its mirror image."""
    import torch

    found = []
    with torch.no_grad():
        for i in range(0, len(part.labels), 1000):
            x = torch.from_numpy(part.images[i : i + 1000]).to(device)[:, None].float()
            found.append((net(x) + net(x.flip(3))).float().cpu().numpy() / 2)
    return np.concatenate(found)


def _score(net: Any, part: Faces, device: Any) -> str:
    return f"{accuracy(part.labels, _logits(net, part, device).argmax(1)):.4f}"


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--teachers", type=int, default=0)
    parser.add_argument("--limit", type=int, default=0, help="pictures of each part, for a trial")
    parser.add_argument("--seconds", type=float, default=math.inf, help="at most, for a teacher")
    args = parser.parse_args(argv)
    run(args.data, args.out, args.epochs, args.teachers, args.limit, args.seconds)


if __name__ == "__main__":
    main()
