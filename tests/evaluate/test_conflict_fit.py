"""What fusion knows beforehand: fitted from readings, and still of the models that ship."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
import yaml

from thymos.contract import EMOTIONS, Cue
from thymos.evaluate import conflict_fit as fitting
from thymos.evaluate.conflict_set import Clip, Row
from thymos.reason.fusion import fuse
from thymos.reason.reliability import from_data

S = 1_000_000_000
NAMES = {"face": "expression", "voice": "tone", "words": "sentiment"}
EVEN = dict.fromkeys(EMOTIONS, 1 / len(EMOTIONS))


def told(clip, rng, skew):
    """A reading that is right three times of four, sees joy too often, and is unsure in noise."""
    right = rng.random() < (0.3 if clip.damage else 0.75)
    said = EMOTIONS.index(clip.label) if right else int(rng.integers(7))
    logs = np.where(np.arange(7) == said, 1.5, 0.0) + skew
    shares = np.exp(logs) / np.exp(logs).sum()
    cue = Cue(
        id=clip.key, modality=clip.modality, name=NAMES[clip.modality], value="x",
        confidence=0.6, t0_ns=0, t1_ns=S,
        emotion={e: float(p) for e, p in zip(EMOTIONS, shares, strict=True)},
    )  # fmt: skip
    if clip.modality != "voice":
        return [cue]
    clean = 2.0 if clip.damage else 12.0
    noise = cue.model_copy(update={"name": "quality", "value": clean, "emotion": None})
    return [cue, noise]


@pytest.fixture(scope="module")
def made():
    """Rows of two senses; joy comes too easily to the face."""
    rng = np.random.default_rng(3)
    skew = {"face": np.where(np.arange(7) == 1, 1.2, 0.0), "voice": np.zeros(7)}
    rows, cues = [], {}
    for k in range(900):
        subset = ("video", "audio", "consistent")[k % 3]
        truth, other = (EMOTIONS[i] for i in rng.choice(7, 2, replace=False))
        labels = {"video": (truth, other), "audio": (other, truth)}.get(subset, (truth, truth))
        weak = {"video": "voice", "audio": "face"}.get(subset, "")
        clips = tuple(
            Clip(m, "made", f"{m}{k}", f"{m}{k}", label, "noise" if m == weak else "")
            for m, label in zip(("face", "voice"), labels, strict=True)
        )
        rows.append(Row(f"r{k}", "face+voice", subset, truth, k % 2, clips))
        for clip in clips:
            cues[clip.key] = told(clip, rng, skew[clip.modality])
        words = Clip("words", "made", f"words{k}", f"words{k}", truth)
        cues[words.key] = told(words, rng, np.zeros(7))
        if k % 3 == 2:
            rows.append(Row(f"w{k}", "face+voice+words", subset, truth, k % 2, (*clips, words)))
    return rows, cues


@pytest.fixture(scope="module")
def data(made):
    return fitting.fit(*made, EVEN)


def test_a_bias_is_found_and_noise_is_believed_less(data):
    assert data["face"]["bias"]["joy"] < -0.7
    assert abs(data["voice"]["bias"]["joy"]) < 0.4
    assert data["voice"]["qualities"]["quality"]["slope"] > 0.05
    assert data["agreement"] > 0.2


def test_what_is_fitted_is_what_fuse_does(made, data):
    rows, cues = made
    known = from_data(data)
    ranges = fitting._ranges(rows, cues)
    voice = data["voice"]
    x = np.array([
        voice["base"], data["words"]["base"],
        *(data[m]["evidence_power"] for m in fitting.HEARING),
        *(q["slope"] for q in voice["qualities"].values()), data["agreement"],
    ])  # fmt: skip
    pooled = fitting._pooled(fitting._sheet(known, rows, cues, ranges), x)
    for row, expected in list(zip(rows, pooled, strict=True))[::50]:
        fused = fuse([c for clip in row.clips for c in cues[clip.key]], known).fused
        assert [fused[e] for e in EMOTIONS] == pytest.approx(expected, abs=1e-3)


def test_rows_weigh_as_the_mixture_and_the_prior_say(made):
    rows, _ = made
    prior = np.array([0.4, *[0.1] * 6])
    weight = fitting.row_weights(rows, prior)
    of = {name: sum(w for w, r in zip(weight, rows, strict=True) if r.subset == name)
          for name in fitting.SHARE}  # fmt: skip
    assert of == pytest.approx(fitting.SHARE)
    neutral = [w for w, r in zip(weight, rows, strict=True) if r.truth == "neutral"]
    assert np.mean(neutral) == pytest.approx(4 * np.mean(
        [w for w, r in zip(weight, rows, strict=True) if r.truth != "neutral"]
    ), rel=0.1)  # fmt: skip


def test_a_class_without_clips_keeps_its_place(made):
    rows, cues = made
    fewer = [r for r in rows if all(c.label != "surprise" for c in r.clips)]
    found = fitting.fit(fewer, cues, EVEN)
    assert abs(found["voice"]["bias"]["surprise"]) < 0.5


def test_the_simplex_finds_the_least_value():
    found = fitting.minimise(lambda x: float((x[0] - 2) ** 2 + 3 * (x[1] + 1) ** 2), np.zeros(2))
    assert found == pytest.approx([2, -1], abs=1e-2)


def test_the_table_was_measured_on_the_models_that_ship():
    """After new weights or another reading: python -m thymos.evaluate.conflict_fit DATA."""
    text = (files("thymos.reason") / "fusion.yaml").read_text(encoding="utf-8")
    stored = yaml.safe_load(text)["fingerprint"]
    now = fitting.fingerprint()
    assert stored.keys() == now.keys()
    for modality, probs in now.items():
        assert probs == pytest.approx(stored[modality], abs=0.03), modality
