from __future__ import annotations

from types import SimpleNamespace

import pytest

from thymos.config import PerceiveConfig
from thymos.contract import EMOTIONS
from thymos.errors import ModelError
from thymos.models import ModelStore
from thymos.perceive.text_emotion import Lexicon
from thymos.perceive.words import WordsPerceiver, believable
from thymos.samples import NS_PER_S, Kind, StreamSpec

SPEC = StreamSpec("microphone", Kind.AUDIO, 16000, (-1, 1), "s16")


def segment(text: str, logprob: float = -0.3, **change: float) -> SimpleNamespace:
    words = [SimpleNamespace(probability=change.get("p", 0.9)) for _ in text.split()]
    return SimpleNamespace(
        text=text,
        start=0.0,
        end=2.0,
        avg_logprob=logprob,
        compression_ratio=change.get("compression", 1.0),
        no_speech_prob=change.get("no_speech", 0.02),
        words=words,
    )


@pytest.mark.parametrize(
    ("heard", "trusted"),
    [
        (segment("I'd like to do better at that."), True),
        (segment("and this latest crash.", -0.73, p=0.65), True),
        (segment("I hope you enjoyed.", -1.18), False),
        (segment("quite unlikely words", -0.5, p=0.3), False),
        (segment("so so so so", -0.3, compression=3.0), False),
        (segment("I hope you like it " * 4, -0.3), False),
        (segment("hm", -0.8, no_speech=0.9), False),
        (segment("Thank you for watching!", -0.6), False),
        (segment("Thank you for watching!", -0.2), True),
        (segment(""), False),
    ],
)
def test_what_is_believed(heard, trusted):
    assert believable([heard]) is trusted


@pytest.mark.models
@pytest.mark.data
def test_english_words_with_their_times(data_dir, model_store, watch):
    words = WordsPerceiver(PerceiveConfig(), model_store)
    seen = watch(data_dir / "av/video_retalking/1.mp4", words, length_s=3.0)
    first, second = seen.all("transcript")
    assert "asking for help" in first.value
    assert "do better" in second.value
    assert first.untrusted
    assert first.confidence > 0.7
    # Spoken from 0.1 to 2.5 s and from 3.5 to 4.6 s (level of the sound)
    assert 0 <= first.t0_ns / NS_PER_S < 0.6
    assert 2.2 < first.t1_ns / NS_PER_S < 2.7
    assert 3.3 < second.t0_ns / NS_PER_S < 3.9
    assert 4.4 < second.t1_ns / NS_PER_S < 4.8
    assert "language assumed: en" in first.text
    assert first.language == "en"
    assert " ".join(w.text for w in first.spoken) == first.value
    times = [t for w in first.spoken for t in (w.t0_ns, w.t1_ns)]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (first.t0_ns, first.t1_ns)


@pytest.mark.models
@pytest.mark.data
def test_a_word_cut_by_the_window_is_heard_again_whole(data_dir, model_store, watch):
    words = WordsPerceiver(PerceiveConfig(), model_store)
    seen = watch(data_dir / "av/sadtalker/RD_Radio31_000.wav", words)
    assert "festivities" in seen.all("transcript")[1].value
    everything = " ".join(c.value for c in seen.all("transcript")).lower()
    assert "celebrating with loved ones" in everything
    assert "this year has" in everything


@pytest.mark.models
@pytest.mark.data
@pytest.mark.parametrize("clip", ["bus_chinese.wav", "eluosi.wav"])
def test_other_languages_give_no_confident_nonsense(data_dir, model_store, watch, clip):
    words = WordsPerceiver(PerceiveConfig(), model_store)
    seen = watch(data_dir / "av/sadtalker" / clip, words)
    assert seen.all() == []
    assert "not understood" in seen.notes[0][0]


@pytest.mark.models
@pytest.mark.data
@pytest.mark.parametrize(
    "clip", ["pyfeat/WolfgangLanger_Pexels.mp4", "pyfeat/no_face.mp4", "pyfeat/single_face.mp4"]
)
def test_no_words_without_speech(data_dir, model_store, watch, clip):
    words = WordsPerceiver(PerceiveConfig(), model_store)
    assert watch(data_dir / "av" / clip, words).all() == []


@pytest.mark.models
def test_a_language_it_does_not_know(model_store):
    with pytest.raises(ModelError, match="English only") as caught:
        WordsPerceiver(PerceiveConfig(language="de"), model_store).start(SPEC)
    assert "perceive.language" in caught.value.hint


def test_missing_weights(tmp_path):
    with pytest.raises(ModelError) as caught:
        WordsPerceiver(PerceiveConfig(), ModelStore(tmp_path)).start(SPEC)
    assert caught.value.hint == "thymos models pull asr"


@pytest.mark.parametrize(
    ("text", "top"),
    [
        ("I am so happy and excited", "joy"),
        ("I'm not happy", "sadness"),
        ("I am worried and afraid", "fear"),
        ("that stinks, it is disgusting", "disgust"),
    ],
)
def test_the_lexicon(text, top):
    found = Lexicon().read(text)
    assert EMOTIONS[int(found.probabilities.argmax())] == top


def test_the_lexicon_says_nothing_of_plain_words():
    assert Lexicon().read("the box is on the table") is None
