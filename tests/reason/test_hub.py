"""The transformers backend with tiny models of real families, loaded as real ones would be."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from thymos.attend.media import Budget, Media, Picture, Sound
from thymos.errors import ModelError
from thymos.reason import grammar
from thymos.reason.chat import ChatReasoner

pytest.importorskip("transformers", reason="the extra 'transformers' is not installed")

import torch

import tiny_models
from thymos.reason.hub import HubLlm

pytestmark = pytest.mark.xdist_group("backends")
ASK = [{"role": "user", "content": "Tell me a long story."}]
PATIENT = 120.0
SHOWN = "Pictures are shown of: 1.0 s, 2.0 s."


def picture(t_s: float = 1.0, tokens: int = 0) -> Picture:
    pixels = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    return Picture("camera", int(t_s * 1e9), pixels, "motion", tokens)


def sound() -> Sound:
    samples = (np.sin(np.arange(16_000) / 9) * 9000).astype(np.int16)
    return Sound("microphone", 0, 10**9, 16_000, samples, "sound", 26)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    made: dict[str, HubLlm] = {}

    def get(kind: str) -> HubLlm:
        if kind not in made:
            torch.manual_seed(0)
            folder = getattr(tiny_models, kind)(tmp_path_factory.mktemp("m") / kind)
            made[kind] = HubLlm(str(folder), budget=Budget(tokens=600, pictures=2))
        return made[kind]

    return get


@pytest.mark.parametrize(
    ("kind", "sees", "hears"),
    [
        ("text", False, False),
        ("qwen_vl", True, False),
        ("smolvlm", True, False),
        ("qwen_omni", True, True),
    ],
)
def test_what_a_family_takes_is_found_from_its_processor(model, kind, sees, hears):
    llm = model(kind)
    assert (llm.budget.picture > 0, llm.budget.second > 0) == (sees, hears)
    told = " ".join(llm.remarks)
    assert ("takes no pictures" in told) == (not sees)
    assert ("takes no sound" in told) == (not hears)


def test_prices_are_those_of_the_family(model):
    # 448 px in patches of 14, merged 2 × 2, with a token before and after; sound at 25 Hz.
    assert model("qwen_vl").budget.picture == (448 // 28) ** 2 + 2
    assert model("qwen_omni").budget.second == pytest.approx(25, abs=1)


@pytest.mark.parametrize("kind", ["qwen_vl", "smolvlm", "qwen_omni"])
def test_a_picture_is_read_as_tokens(model, kind):
    llm = model(kind)
    without = llm.complete(ASK, max_tokens=2, deadline_s=PATIENT)
    seen = llm.complete(ASK, media=Media((picture(),)), max_tokens=2, deadline_s=PATIENT)
    assert seen.finish in ("length", "stop"), seen.detail
    assert 0 < seen.prompt_tokens - without.prompt_tokens <= llm.budget.picture


def test_sound_is_read_as_tokens(model):
    llm = model("qwen_omni")
    without = llm.complete(ASK, max_tokens=2, deadline_s=PATIENT)
    heard = llm.complete(ASK, media=Media((), (sound(),)), max_tokens=2, deadline_s=PATIENT)
    assert heard.prompt_tokens - without.prompt_tokens == pytest.approx(25 + 2, abs=1)


def test_the_weights_of_an_omni_model_are_those_that_were_saved(model, tmp_path):
    from safetensors.torch import load_file

    saved = load_file(Path(model("qwen_omni")._name) / "model.safetensors")
    loaded = model("qwen_omni")._loaded.model.state_dict()
    assert len(loaded) > 50
    for name, value in loaded.items():
        part = name.removeprefix("model.")
        text = f"thinker.model.{part.removeprefix('language_model.')}"
        stored = next(saved[n] for n in (f"thinker.{part}", text) if n in saved)
        assert torch.equal(value, stored), name


def test_weights_that_are_missing_are_not_made_up(model, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(model("text")._name, tmp_path / "cut")
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="1 weights are missing"):
        HubLlm(str(folder))


@pytest.fixture
def seen(cue, evidence_of):
    """A sad face and voice, with two pictures and a second of sound."""
    evidence = evidence_of(
        [
            cue("face", "the brows are drawn together", "sadness"),
            cue("voice", "the voice is quiet", "sadness"),
        ]
    )

    def media(budget: Budget) -> Media:
        n = min(2, budget.tokens // budget.picture) if budget.picture else 0
        pictures = tuple(picture(1.0 + i, budget.picture) for i in range(n))
        return Media(pictures, (sound(),) if budget.second else ())

    return replace(evidence, media=media)


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        (
            "qwen_omni",
            ["Pictures are shown of: 1.0 s, 2.0 s.", "Sound is played of: 0.0 s to 1.0 s."],
        ),
        ("smolvlm", ["Pictures are shown of: 1.0 s, 2.0 s."]),
        ("text", []),
    ],
)
def test_what_a_model_cannot_take_is_dropped_with_its_sentence(model, seen, kind, lines):
    reasoner = ChatReasoner(model(kind), backend="transformers", deadline_s=PATIENT)
    made = reasoner.explain(seen)
    assert made.fallback == ""
    assert made.asked.text.splitlines()[: len(lines)] == lines
    assert ("shown" in made.asked.text, "played" in made.asked.text) == (
        len(lines) > 0,
        len(lines) > 1,
    )
    kinds = [look.kind for look in made.looked_at]
    assert (kinds.count("picture"), kinds.count("sound")) == (
        2 if lines else 0,
        max(0, len(lines) - 1),
    )
    assert made.asked.prompt == ("explain-media-1" if lines else "explain-2")
    assert reasoner.remarks == model(kind).remarks


class Countdown(threading.Event):
    """Is set once it was looked at so often."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def test_the_prompt_itself_can_be_left_between_two_layers(model):
    llm = model("text")
    cancel = Countdown(2)
    done = llm.complete(ASK, max_tokens=50, cancel=cancel, deadline_s=PATIENT)
    assert (done.finish, done.text, done.answer_tokens) == ("cancelled", "", 0)


def test_a_folder_that_holds_no_model(tmp_path):
    with pytest.raises(ModelError) as caught:
        HubLlm(str(tmp_path))
    assert caught.value.hint
    with pytest.raises(ModelError, match="there is no folder"):
        HubLlm(str(tmp_path / "nothing"))
    with pytest.raises(ModelError, match="there is no model"):
        HubLlm(str(tmp_path / "nothing.gguf"))


def test_pickled_weights_are_refused(model, tmp_path):
    folder = shutil.copytree(model("text")._name, tmp_path / "pickled")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        HubLlm(str(folder))


def test_code_beside_the_weights_runs_only_if_it_is_trusted(model, tmp_path):
    folder = shutil.copytree(model("text")._name, tmp_path / "coded")
    mark = tmp_path / "ran"
    (folder / "own.py").write_text(f"open({str(mark)!r}, 'w').write('x')\n")
    settings = json.loads((folder / "config.json").read_text())
    settings |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError):
        HubLlm(str(folder))
    assert not mark.exists()


def test_trusted_code_from_a_hub_needs_a_pinned_revision():
    for name in ("somebody/model", "somebody/model@main"):
        with pytest.raises(ModelError, match="may change") as caught:
            HubLlm(name, trust_remote_code=True)
        assert "commit" in caught.value.hint


def test_a_device_that_is_not_there(model):
    with pytest.raises(ModelError):
        HubLlm(model("text")._name, device="cuda:7")
    with pytest.raises(ModelError):
        HubLlm(model("text")._name, device="toaster")


def test_without_a_chat_template_it_cannot_be_asked(model, tmp_path):
    folder = shutil.copytree(model("text")._name, tmp_path / "base")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="cannot be asked"):
        HubLlm(str(folder))


def test_a_template_without_system_turns_gets_it_in_the_first_one(model, tmp_path):
    folder = shutil.copytree(model("text")._name, tmp_path / "strict")
    template = tiny_models.CHATML.replace(
        "{% for m in messages %}",
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% for m in messages %}",
    )
    (folder / "chat_template.jinja").write_text(template)
    llm = HubLlm(str(folder))
    chat = [{"role": "system", "content": "You are kind."}, *ASK]
    told = llm._loaded.tokenizer.decode(llm._inputs(chat, Media())["input_ids"][0])
    assert "You are kind." in told
    assert "system" not in told


@pytest.mark.slow
@pytest.mark.models
def test_smollm2_is_read_from_its_gguf(model_store):
    pytest.importorskip("gguf")
    pytest.importorskip("accelerate")
    llm = HubLlm(str(model_store.path("llm")))
    assert llm.name.startswith("SmolLM2-135M")
    assert 80e6 < llm.size_bytes < 110e6  # 135 M weights, as a 4-bit file
    ask = [{"role": "user", "content": "What is the capital of France?"}]
    done = llm.complete(ask, max_tokens=9, deadline_s=400.0)
    assert "Paris" in done.text
    picked = llm.complete(ask, grammar=grammar.pick(3), max_tokens=12, deadline_s=400.0)
    assert json.loads(picked.text)["pick"] in (1, 2, 3)
    llm.close()
