"""What lists cannot be IJB-A's: the counts of the official lists, split by split."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from facebench.faces.ijb.published import COMPARISONS, SEARCHES, search_fault, verification_fault


class Split:
    """Comparisons, of which only the numbers matter."""

    def __init__(self, total: int, mated: int) -> None:
        self.mated = np.arange(total) < mated

    def __len__(self) -> int:
        return len(self.mated)


OFFICIAL = [Split(*counts) for counts in COMPARISONS]
SEARCHED = [SimpleNamespace(gallery=range(g), probes=range(p)) for g, p in SEARCHES]


def test_the_counts_of_the_official_lists() -> None:
    assert sum(map(len, OFFICIAL)) == 117_483
    assert sum(int(split.mated.sum()) for split in OFFICIAL) == 17_561
    assert COMPARISONS[0] == (11_787, 1_803)
    assert verification_fault(OFFICIAL) is None
    assert search_fault(SEARCHED) is None


@pytest.mark.parametrize(("total", "mated"), [(800, 200), (11_702, 1_722), (11_701, 1_721)])
def test_comparisons_of_a_split(total: int, mated: int) -> None:
    assert verification_fault([*OFFICIAL[:2], Split(total, mated), *OFFICIAL[3:]]) == (
        f"split 3 has {total:,} comparisons ({mated:,} mated), the published one 11,701 "
        "comparisons (1,722 mated)"
    )


@pytest.mark.parametrize("count", [1, 9, 11])
def test_the_number_of_splits(count: int) -> None:
    says = f"{count} splits, 10 are published"
    assert verification_fault((OFFICIAL * 2)[:count]) == says
    assert search_fault((SEARCHED * 2)[:count]) == says


@pytest.mark.parametrize(("people", "probes"), [(112, 1_751), (113, 1_752), (2, 4)])
def test_people_of_a_gallery(people: int, probes: int) -> None:
    other = SimpleNamespace(gallery=range(people), probes=range(probes))
    assert search_fault([*SEARCHED[:9], other]) == (
        f"split 10 has {probes:,} probes and {people:,} people in its gallery, the published one "
        "1,752 probes and 112 people in its gallery"
    )
