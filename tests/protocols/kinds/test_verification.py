"""From a list of pairs to statistics."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.lfw.lists import Pair, PairList
from facebench.protocols.cards import VerificationCard, load_protocol
from facebench.protocols.kinds.verification import comparisons_of, verification


def lists(folds: int = 2, per_kind: int = 20) -> PairList:
    pairs = []
    for fold in range(folds):
        for number in range(per_kind):
            a, b = f"A{fold}_{number}", f"B{fold}_{number}"
            pairs.append(Pair(f"{a}/1.jpg", f"{a}/2.jpg", True, fold, a, a))
            pairs.append(Pair(f"{a}/1.jpg", f"{b}/1.jpg", False, fold, a, b))
    return PairList(tuple(pairs))


def card() -> VerificationCard:
    found = load_protocol("lfw")
    assert isinstance(found, VerificationCard)
    return found


def test_comparisons_name_the_faces_and_people_of_the_list() -> None:
    pairs = lists()
    comparisons = comparisons_of(pairs)
    assert list(comparisons.keys) == pairs.keys()
    assert comparisons.subjects is not None
    for index, pair in enumerate(pairs.pairs):
        assert comparisons.keys[comparisons.left[index]] == pair.left_key
        assert comparisons.keys[comparisons.right[index]] == pair.right_key
        same = (
            comparisons.subjects[comparisons.left[index]]
            == comparisons.subjects[comparisons.right[index]]
        )
        assert same == pair.mated == comparisons.mated[index]
    assert set(comparisons.folds) == {1, 2}


def test_people_of_a_list_without_names_are_unknown() -> None:
    pairs = tuple(
        Pair(f"{2 * n:06d}", f"{2 * n + 1:06d}", n % 2 == 0, n // 10, f"{2 * n:06d}",
             f"{2 * n + n % 2:06d}")
        for n in range(20)
    )  # fmt: skip
    assert comparisons_of(PairList(pairs)).subjects is None


def test_the_fingerprint_pins_pairs_labels_and_folds() -> None:
    pairs = lists()
    known = {comparisons_of(pairs).fingerprint}
    first, second, *rest = pairs.pairs
    for changed in (
        (second, first, *rest),
        (dataclasses.replace(first, mated=False), second, *rest),
        (dataclasses.replace(first, fold=1), second, *rest),
        (dataclasses.replace(first, right_key="A0_0/3.jpg"), second, *rest),
    ):
        known.add(comparisons_of(PairList(changed)).fingerprint)
    assert len(known) == 5
    assert comparisons_of(lists()).fingerprint in known


def test_a_failure_to_acquire_stays_in_the_protocol() -> None:
    comparisons = comparisons_of(lists())
    scores = np.where(comparisons.mated, 0.9, 0.1) + np.linspace(0, 0.01, len(comparisons))
    acquired = np.ones(len(comparisons), dtype=np.bool_)
    acquired[0] = False  # a mated comparison
    result = verification(card(), comparisons, scores, acquired, draws=0)
    assert result.n_comparisons == 80 and result.failures_to_acquire == 1
    assert result.accuracy.per_fold.tolist() == [39 / 40, 1.0]


def test_a_list_of_one_fold_is_a_user_error() -> None:
    comparisons = comparisons_of(lists(folds=1))
    scores = np.linspace(0, 1, len(comparisons))
    with pytest.raises(UserError, match=r"^protocol lfw: there is one fold \(1\)"):
        verification(card(), comparisons, scores, np.ones(40, dtype=np.bool_))


def test_a_list_of_one_kind_is_a_user_error_without_a_function_in_it() -> None:
    comparisons = comparisons_of(lists())
    mated = np.ones(len(comparisons), dtype=np.bool_)
    with pytest.raises(UserError, match=r"^protocol lfw: all 80 comparisons are mated; both kinds"):
        verification(
            card(),
            dataclasses.replace(comparisons, mated=mated, subjects=None),
            np.linspace(0, 1, 80),
            mated,
        )
