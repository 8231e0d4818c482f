"""The package as users import it."""

from __future__ import annotations

import inspect

import pytest

import thymos


@pytest.mark.parametrize("name", thymos.__all__)
def test_every_public_name_stays_what_it_is(name: str) -> None:
    first = getattr(thymos, name)
    # A submodule of the same name would take its place after the first import.
    assert getattr(thymos, name) is first
    assert not inspect.ismodule(first)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="levitate"):
        thymos.levitate  # noqa: B018
