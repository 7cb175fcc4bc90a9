"""Rendered faces that were changed, and lists that name two kinds."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType

import pytest

from facebench.base.errors import UserError
from facebench.faces.images import content_fingerprint
from facebench.faces.lfw.lists import read_pairs
from facebench.faces.lfw.rendered import SyntheticSource, kind_of, rendering_of
from facebench.faces.twins import lfw as twin

NAME = twin.twin_fingerprint(0)


def pinned(monkeypatch: pytest.MonkeyPatch, source: SyntheticSource) -> None:
    """Take what is there now for what the renderer gives."""
    whole = content_fingerprint("", source.keys(), lambda key: source.encoded(key))[1:]
    monkeypatch.setattr(twin, "TWIN_CONTENTS", MappingProxyType({NAME: ("0" * 16, whole)}))


def test_the_bare_name_is_that_of_the_renderers_own_bytes(
    small_twin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SyntheticSource(small_twin, NAME)
    keys = source.keys()
    pinned(monkeypatch, source)
    assert source.label(keys) == source.label(keys[:3]) == NAME
    before = source.fingerprint(keys)
    assert before != NAME and before.startswith("synthetic-lfw-")
    changed = small_twin / "lfw" / keys[0]
    original = changed.read_bytes()
    changed.write_bytes((small_twin / "lfw" / keys[-1]).read_bytes())
    assert source.fingerprint(keys) != before  # what the store goes by
    label = source.label(keys)
    assert label.startswith(f"{NAME}+") and len(label) == len(NAME) + 17
    changed.write_bytes(original)
    assert (source.label(keys), source.fingerprint(keys)) == (NAME, before)
    changed.unlink()
    assert source.label(keys).startswith(f"{NAME}+")


def test_a_seed_that_is_not_pinned_carries_its_contents(small_twin: Path) -> None:
    other = twin.twin_fingerprint(5)
    source = SyntheticSource(small_twin, other)
    assert source.label(source.keys()).startswith(f"{other}+")


def test_what_a_marker_may_say(tmp_path: Path) -> None:
    marker = tmp_path / "COMPLETE.json"
    assert rendering_of(tmp_path) is None
    for text, expected in (
        (json.dumps({"fingerprint": NAME}), NAME),
        (json.dumps({"fingerprint": "synthetic-lfw-v1-s0|data:lfw"}), "synthetic-lfw-unknown"),
        (json.dumps({"fingerprint": "other"}), None),
        (json.dumps([1]), None),
        ("{", None),
    ):
        marker.write_text(text)
        assert rendering_of(tmp_path / "absent", tmp_path) == expected


def test_the_kind_of_a_list_is_that_of_all_its_people(small_lfw: Path, small_twin: Path) -> None:
    real, rendered = read_pairs(small_lfw / "pairs.txt"), read_pairs(small_twin / "pairs.txt")
    assert (kind_of(real, "a"), kind_of(rendered, "b")) == ("real", "synthetic")
    path = small_lfw / "mixed.txt"
    path.write_text("1\t1\nPerson_A\t1\t2\nPerson_A\t1\tSynth_00001\t1\n")
    with pytest.raises(UserError, match=r"^c names synthetic faces \(Synth_00001, .*Person_A"):
        kind_of(read_pairs(path), "c")
