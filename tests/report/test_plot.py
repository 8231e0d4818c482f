"""Plots: data land where the axes say, and text of data is no markup."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest
from benchmarks.smell_pictures import BEGIN_S, onset_picture, run, sniff_picture

from thymos.report.plot import Panel, steps_picture

SVG = "{http://www.w3.org/2000/svg}"


def test_a_panel_maps_data_to_the_page_and_holds_them_inside() -> None:
    panel = Panel(50, 20, 100, 200, (0, 10), (-1, 1))
    assert panel.at(0, -1) == (50, 220)
    assert panel.at(10, 1) == (150, 20)
    assert panel.at(5, 0) == pytest.approx((100, 120))
    assert panel.at(99, -99) == (150, 220)
    # A value that is unknown breaks the line.
    assert panel.curve([(0, 0), (1, math.nan), (2, 0), (3, 0)]).count("M") == 2


def test_lines_over_steps_are_named_and_do_not_cover_each_other() -> None:
    made = steps_picture(
        "a <title>", ["b2", "b3"], {"naive": [0.7, 0.5], "<ours>": [0.9, 0.5]},
        note="data & protocol", spread={"<ours>": [(0.8, 1.0), (0.4, 0.6)]},
    )  # fmt: skip
    page = ET.fromstring(made)
    texts = {t.text: float(t.get("y", 0)) for t in page.iter(f"{SVG}text")}
    assert {"a <title>", "naive", "<ours>", "b2", "100%", "data & protocol"} <= set(texts)
    assert abs(texts["naive"] - texts["<ours>"]) >= 16
    dots = [float(c.get("cy", 0)) for c in page.iter(f"{SVG}circle")]
    assert dots == pytest.approx([142.0, 194.0, 90.0, 194.0])
    assert made == steps_picture(
        "a <title>", ["b2", "b3"], {"naive": [0.7, 0.5], "<ours>": [0.9, 0.5]},
        note="data & protocol", spread={"<ours>": [(0.8, 1.0), (0.4, 0.6)]},
    )  # fmt: skip


def test_the_pictures_of_a_sniff_hold_the_truth_and_are_the_same_each_time() -> None:
    made, again = run(), run()
    for draw in (sniff_picture, onset_picture):
        assert draw(made) == draw(again)
        assert len(draw(made)) < 60_000
        ET.fromstring(draw(made))
    onset = onset_picture(made)
    early, late = re.search(r"shape of its rise: ([\d.]+) to ([\d.]+) s", onset).groups()
    assert float(early) <= BEGIN_S <= float(late)
    assert "exposure" in sniff_picture(made)
