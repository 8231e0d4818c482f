"""What the recipe of the voice model is made of: the head, the variations, the storage."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from thymos.train import speech_augment
from thymos.train.speech_head import fit_head


def _people(seed: int, people: int) -> tuple[np.ndarray, np.ndarray]:
    """Three classes 2 apart along axis 0; each person is shifted by much along axis 1."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.repeat(np.arange(3), 5), people)
    x = rng.normal(size=(len(labels), 6)).astype(np.float32) * 0.5
    x[:, 0] += 2 * labels
    x[:, 1] += np.repeat(rng.normal(size=people) * 6, 15)
    return x, labels


def test_the_head_finds_classes_of_new_people_and_ignores_who_speaks():
    head = fit_head(*_people(0, 30), classes=3)
    x, labels = _people(1, 10)
    assert np.mean(head(x).argmax(1) == labels) > 0.85
    assert np.abs(head.weight[1]).max() < 0.1 * np.abs(head.weight[0]).max()
    np.testing.assert_allclose(head.cooled(2.0)(x), head(x) / 2, atol=1e-4)


@pytest.mark.parametrize("rough", [False, True])
def test_variations_are_repeatable_and_stay_in_range(rough):
    wave = torch.sin(torch.arange(24000) / 16000 * 6.28 * 200)
    torch.manual_seed(3)
    first = speech_augment.vary(wave, rough)
    torch.manual_seed(3)
    assert torch.equal(speech_augment.vary(wave, rough), first)
    assert float(first.abs().max()) == pytest.approx(1.0)
    assert 0.4 * 24000 < len(first) < 1.2 * 24000


def test_six_bit_storage_gives_the_weights_back(tmp_path):
    pytest.importorskip("onnx")
    from thymos.perceive.learned.session import open_session
    from thymos.train.export import to_onnx

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(512, 512), torch.nn.GELU(), torch.nn.Linear(512, 8))
    x = torch.randn(2, 512)
    paths = {bits: tmp_path / f"{bits}.onnx" for bits in (6, 8)}
    for bits, path in paths.items():
        to_onnx(net, (x,), path, {"x": {0: "batch"}}, "y", six_bits=bits == 6)
    want = net(x).detach().numpy()
    for bits, path in paths.items():
        (got,) = open_session(path).run(None, {"x": x.numpy()})
        assert np.abs(got - want).max() < 0.02 * 4 ** (8 - bits) ** 0.5 * np.abs(want).max()
    assert paths[6].stat().st_size < 0.8 * paths[8].stat().st_size
