from __future__ import annotations

import pytest

from facebench.faces.install.registry import LFW, LFW_FUNNELED


def test_addresses_and_hashes_are_scikit_learns() -> None:
    lfw = pytest.importorskip("sklearn.datasets._lfw")
    if not hasattr(lfw, "ARCHIVE"):
        pytest.skip("this scikit-learn registers LFW in another way")
    ours = (LFW.archive, LFW_FUNNELED.archive, *LFW.lists)
    theirs = (lfw.ARCHIVE, lfw.FUNNELED_ARCHIVE, *lfw.TARGETS)
    assert [(f.filename, f.url, f.sha256) for f in ours] == [tuple(f) for f in theirs]


def test_the_counts_are_those_of_lfw() -> None:
    for edition in (LFW, LFW_FUNNELED):
        assert (edition.images, edition.people, edition.pairs) == (13233, 5749, 6000)
