"""Recipe of the odour models: `thymos train enose DATA --out DIR`.

DATA holds `enose/smellnet`, `enose/bme688/gat3way` and `enose/uci_drift`; what is missing is left
out with a word. Every file is fitted anew and written to DIR with its SHA-256; on the kind of
machine that made the shipped ones the bytes are the same, elsewhere answers agree (sums in another
order change the last digits). One thread, no torch. About half a minute.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from thymos.errors import ConfigError, MissingExtraError, ThymosError
from thymos.smell.recognise.concentration import save_ppm
from thymos.smell.recognise.model import save
from thymos.smell.recognise.scans import save_scans
from thymos.train.enose_data import gat3way, smellnet, uci_drift
from thymos.train.enose_extra import fit_ppm, scans_calibrated
from thymos.train.enose_fit import calibrated

Progress = Callable[[float, str], None]


def train_smellnet(data: Path, out: Path, limit: int, told: Progress) -> dict[str, Any]:
    """SmellNet's `train` folder to `smellnet.npz`; `test` is never read."""
    sniffs = smellnet(data / "enose/smellnet", "train")
    if limit:
        kept = sorted({s.substance for s in sniffs})[:limit]
        sniffs = [s for s in sniffs if s.substance in kept]
    model = calibrated(sniffs, told)
    facts = replace(
        model.facts,
        trained_on=f"SmellNet (MIT licence), {len(sniffs)} recordings of the folder train",
        origin="what the nose of the SmellNet data set smelt",
    )
    sha256 = save(replace(model, facts=facts), out / "smellnet.npz")
    return {
        "file": "smellnet.npz",
        "sha256": sha256,
        "substances": len(model.labels),
        "recordings": len(sniffs),
        "temperature": facts.temperature,
        "known": facts.known,
    }


def train_bme688(data: Path, out: Path, limit: int, told: Progress) -> dict[str, Any]:
    """All scans of gat3way to `bme688.npz`."""
    scans, owner, labels = gat3way(data / "enose/bme688/gat3way")
    if limit:
        keep = owner < limit
        scans, owner, labels = scans[keep], owner[keep], labels[:limit]
    told(0.0, "blocks of time left out")
    model = replace(
        scans_calibrated(scans, owner, labels),
        trained_on=f"gat3way/bme688_keras_experiments (MIT licence), {len(scans)} scans",
    )
    sha256 = save_scans(model, out / "bme688.npz")
    facts = {"odours": len(labels), "scans": len(scans), "temperature": model.temperature}
    return {"file": "bme688.npz", "sha256": sha256, **facts}


def train_ppm(data: Path, out: Path, limit: int, told: Progress) -> dict[str, Any]:
    """Batches 1 to 3 of the UCI drift set to `uci_ppm.npz`; 4 and 5 are for scoring."""
    told(0.0, "batches 1 to 3")
    batches = [uci_drift(data / "enose/uci_drift", n) for n in (1, 2, 3)]
    model = replace(fit_ppm(batches), trained_on="UCI gas sensor array drift, batches 1 to 3")
    if limit:
        model = replace(model, gases=dict(list(model.gases.items())[:limit]))
    sha256 = save_ppm(model, out / "uci_ppm.npz")
    halves = {gas: round(line.half, 3) for gas, line in model.gases.items()}
    return {"file": "uci_ppm.npz", "sha256": sha256, "half_log_ppm": halves}


RECIPES: dict[str, Callable[[Path, Path, int, Progress], dict[str, Any]]] = {
    "smellnet": train_smellnet,
    "bme688": train_bme688,
    "ppm": train_ppm,
}


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=[*RECIPES], action="append", help="not all of them")
    parser.add_argument("--limit", type=int, default=0, help="classes of each, for a trial")
    args = parser.parse_args(argv)
    try:
        from threadpoolctl import threadpool_limits
    except ImportError as err:
        raise MissingExtraError("scikit-learn", "train") from err
    args.out.mkdir(parents=True, exist_ok=True)
    with threadpool_limits(1):  # sums of several threads come in another order each time
        _make(args)


def _make(args: argparse.Namespace) -> None:
    """Run the recipes and tell what was made."""
    made, reasons = {}, []
    for name in args.only or RECIPES:
        try:
            made[name] = RECIPES[name](args.data, args.out, args.limit, _say(name))
        except ThymosError as err:
            if args.only:
                raise
            reasons.append(f"{name}: {err}")
            print(f"left out: {reasons[-1]}", flush=True)
    if not made:
        raise ConfigError(
            f"nothing to train from in '{args.data}' ({reasons[0]})",
            hint="it must hold enose/smellnet, enose/bme688/gat3way or enose/uci_drift",
        )
    text = json.dumps(made, indent=1, sort_keys=True) + "\n"
    (args.out / "enose.json").write_text(text, encoding="utf-8")
    for name, row in made.items():
        print(f"{name}: {row['file']} {row['sha256']}", flush=True)


def _say(name: str) -> Progress:
    """Progress as lines, one for each tenth."""
    last = -1

    def tell(share: float, what: str) -> None:
        nonlocal last
        if int(share * 10) > last:
            last = int(share * 10)
            print(f"{name}: {share:.0%} {what}", flush=True)

    return tell


if __name__ == "__main__":
    main()
