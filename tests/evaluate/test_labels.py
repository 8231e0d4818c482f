"""LABELS CSV and maps: what people get wrong is said, with what to write."""

from __future__ import annotations

import pytest

from thymos.contract import EMOTIONS
from thymos.errors import ConfigError
from thymos.evaluate.runs.labels import read_labels, read_map, split_key, translate


def write(path, text):
    path.write_text(text, "utf-8")
    return path


def test_columns(tmp_path):
    csv = write(
        tmp_path / "l.csv", "\ufefffile,label,group,room\na/x.wav,Happy,p1,lab\nb.npz#7,sad,,\n"
    )
    one, two = read_labels(tmp_path / "clips", csv)
    assert (one.key, one.path) == ("a/x.wav", str(tmp_path / "clips/a/x.wav"))
    assert (one.labels, one.group, dict(one.tags)) == (("Happy",), "p1", {"room": "lab"})
    assert (two.index, two.path, two.group) == (7, str(tmp_path / "clips/b.npz"), "b.npz#7")


def test_lines_of_text_with_several_labels(tmp_path):
    tsv = write(tmp_path / "l.tsv", "text\tlabel\nWell, well.\tjoy|surprise\n")
    (item,) = read_labels(tmp_path, tsv, text=True)
    assert (item.text, item.labels, item.key) == ("Well, well.", ("joy", "surprise"), "l.tsv#0")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "no columns"),
        ("file,label\n", "no columns"),
        ("name,label\na,joy\n", "no columns"),
        ("file,label\na.wav,\n", "line 2"),
        ("file,label\na.wav,joy\na.wav,sad\n", "twice"),
    ],
)
def test_bad_tables(tmp_path, content, complaint):
    with pytest.raises(ConfigError, match=complaint):
        read_labels(tmp_path, write(tmp_path / "l.csv", content))


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the labels"):
        read_labels(tmp_path, tmp_path / "none.csv")
    (tmp_path / "l.csv").write_bytes(b"file,label\n\xff\xfe,joy\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_labels(tmp_path, tmp_path / "l.csv")
    with pytest.raises(ConfigError, match="not JSON"):
        read_map(write(tmp_path / "m.json", "{"))
    with pytest.raises(ConfigError, match="no object"):
        read_map(write(tmp_path / "m.json", '{"a": 1}'))


def items(tmp_path, *labels):
    rows = "\n".join(f"{n}.wav,{label}" for n, label in enumerate(labels))
    return read_labels(tmp_path, write(tmp_path / "l.csv", f"file,label\n{rows}\n"))


def test_usual_names_need_no_map(tmp_path):
    out = translate(items(tmp_path, "Happy", "ANG", "fearful"), {}, EMOTIONS)
    assert [item.labels for item in out] == [("joy",), ("anger",), ("fear",)]


def test_unknown_names_say_how_to_write_the_map(tmp_path):
    with pytest.raises(ConfigError, match="'bored', 'wistful'") as caught:
        translate(items(tmp_path, "happy", "bored", "wistful"), {}, EMOTIONS)
    assert '{"bored": "neutral", "wistful": "neutral"}' in caught.value.hint
    assert "--map" in caught.value.hint


def test_a_map_leads_to_classes_and_null_leaves_out(tmp_path):
    found = items(tmp_path, "bored", "wistful", "happy")
    out = translate(found, {"bored": None, "wistful": "sadness"}, EMOTIONS)
    assert [item.labels for item in out] == [("sadness",), ("joy",)]
    with pytest.raises(ConfigError, match="no class"):
        translate(found, {"bored": "boredom", "wistful": None}, EMOTIONS)
    with pytest.raises(ConfigError, match="leaves no item"):
        translate(found, {"bored": None, "wistful": None, "happy": None}, EMOTIONS)


@pytest.mark.parametrize(
    ("key", "split"),
    [("a.npz#3", ("a.npz", 3)), ("a#3.wav", ("a#3.wav", -1)), ("x.wav", ("x.wav", -1))],
)
def test_places_in_archives(key, split):
    assert split_key(key) == split
