"""What size of lists cannot be IJB-A's."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from facebench.faces.ijb_published import search_fault, verification_fault


class Split:
    """Comparisons, of which only the numbers matter."""

    def __init__(self, total: int, mated: int) -> None:
        self.mated = np.arange(total) < mated

    def __len__(self) -> int:
        return len(self.mated)


@pytest.mark.parametrize(
    ("total", "mated", "fault"),
    [
        (11_748, 1_756, None),
        (11_000, 1_500, None),
        (12_500, 2_000, None),
        (800, 200, "split 3 has 800 comparisons, the published splits have about 11,700"),
        (10_999, 1_756, "split 3 has 10,999 comparisons"),
        (12_501, 1_756, "split 3 has 12,501 comparisons"),
        (11_748, 1_499, "split 3 has 1,499 mated comparisons, the published splits have 1,650 to"),
        (11_748, 2_001, "split 3 has 2,001 mated comparisons"),
    ],
)
def test_comparisons_of_a_split(total: int, mated: int, fault: str | None) -> None:
    splits = [Split(11_700, 1_700)] * 2 + [Split(total, mated)] + [Split(11_700, 1_700)] * 7
    found = verification_fault(splits)
    assert found is None if fault is None else found.startswith(fault)


@pytest.mark.parametrize("count", [1, 9, 11])
def test_the_number_of_splits(count: int) -> None:
    assert verification_fault([Split(11_700, 1_700)] * count) == (
        f"{count} splits, 10 are published"
    )
    gallery = SimpleNamespace(gallery=range(112))
    assert search_fault([gallery] * count) == f"{count} splits, 10 are published"


@pytest.mark.parametrize(("people", "known"), [(112, False), (104, True), (121, True), (2, True)])
def test_people_of_a_gallery(people: int, known: bool) -> None:
    splits = [SimpleNamespace(gallery=range(112))] * 9 + [SimpleNamespace(gallery=range(people))]
    expected = f"the gallery of split 10 has {people} people, the published splits have 112"
    assert search_fault(splits) == (expected if known else None)
