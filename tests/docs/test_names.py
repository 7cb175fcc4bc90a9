"""Files and modules that pages name are where they say."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.docs.pages import CHECKOUT, PAGES, name_of

_FILE = re.compile(r"`((?:facebench|tests)/[a-z_/]+(?:\.py)?)`")
_DOTTED = re.compile(r"`(?:python -m )?(facebench(?:\.[a-z_]\w*)+)`")
STANDS_FOR_A_NEW_ONE = ("facebench/models/architectures/tinynet.py",)
each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@each_page
def test_files_are_there(page: Path) -> None:
    named = _FILE.findall(page.read_text(encoding="utf-8"))
    lacking = [file for file in named if not (CHECKOUT / file).exists()]
    assert not set(lacking) - set(STANDS_FOR_A_NEW_ONE)


@each_page
def test_modules_have_what_is_named(page: Path) -> None:
    for dotted in _DOTTED.findall(page.read_text(encoding="utf-8")):
        place, _, name = dotted.rpartition(".")
        found = import_module(place)
        assert hasattr(found, name) or import_module(dotted), dotted
