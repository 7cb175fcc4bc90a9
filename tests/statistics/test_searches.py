"""DIR at FAR and CMC: the definitions by brute force, by hand, and others' mistakes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.statistics.searches import (
    cmc,
    curve_counts,
    curve_ranks,
    dir_at_counts,
    dir_at_far,
    found_at,
    search,
    search_scores,
)
from tests.helpers import search_brute_force as brute

TARGETS = [0.01, 0.1, 0.2, 0.25, 0.3, 1 / 3, 0.5, 0.75, 1.0]
BLOCKS = st.sampled_from([1, 3, 8, 1000])


def searched(case: brute.Case, block: int = 1000):
    return search(case.block, **case.arguments(), block=block)


def by_hand(matrix, gallery, probes):
    """Scores with a row per probe, as one writes them down."""
    scores = np.array(matrix, dtype=np.float64).T
    return search(lambda g, p: scores[np.ix_(g, p)], gallery, probes)


@settings(max_examples=1000, deadline=None)
@given(brute.cases(), st.sampled_from(TARGETS), st.integers(1, 3), BLOCKS)
def test_dir_at_far_equals_the_definition(case, target, rank, block):
    point = dir_at_far(searched(case, block), [target], rank)[0]
    n_nonmated, n_mated = case.mated.count(False), case.mated.count(True)
    assert (point.false_accepts, point.true_accepts) == brute.dir_at_far(case, target, rank)
    assert (point.far, point.tar) == (
        point.false_accepts / n_nonmated,
        point.true_accepts / n_mated,
    )
    assert point.resolvable == (Fraction(str(target)) * n_nonmated >= 1)
    # The threshold, applied, gives the counts that are reported.
    assert brute.alarms(case, point.threshold) == point.false_accepts
    assert brute.detections(case, point.threshold, rank) == point.true_accepts


@settings(max_examples=1000, deadline=None)
@given(brute.cases(need_nonmated=False), BLOCKS)
def test_cmc_equals_the_definition(case, block):
    searches = searched(case, block)
    assert cmc(searches).tolist() == pytest.approx(brute.cmc(case), abs=1e-15)
    for p, mated in enumerate(case.mated):
        rank = brute.rank(case, p) if mated else np.inf
        for r in (1, 2, 3):
            assert found_at(searches, r)[p] == (rank <= r)


@settings(max_examples=300, deadline=None)
@given(brute.cases())
def test_curve_passes_through_dir_at_every_number_of_false_alarms(case):
    searches = searched(case)
    n = case.mated.count(False)
    found = dir_at_counts(searches, np.arange(n + 1))
    for k in range(1, n + 1):
        alarms, hits = brute.dir_at_far(case, Fraction(k, n))
        assert alarms <= k
        assert found[k] == hits / case.mated.count(True)
    assert (np.diff(found) >= 0).all()


# --- by hand -----------------------------------------------------------------------------------

# Gallery: Ann twice, Bob once. Probes: Ann, Bob, Bob, then four strangers.
GALLERY = [1, 1, 2]
PROBES = [1, 2, 2, 7, 8, 8, 9]
SCORES = [
    [0.4, 0.9, 0.3],  # Ann, by her second image
    [0.2, 0.1, 0.6],  # Bob
    [0.1, 0.8, 0.7],  # Bob, behind Ann
    [0.5, 0.0, 0.2],
    [0.3, 0.65, 0.1],
    [0.1, 0.2, 0.3],
    [0.0, 0.1, 0.05],
]


def test_dir_by_hand():
    searches = by_hand(SCORES, GALLERY, PROBES)
    assert search_scores(searches).tolist() == [0.9, 0.6, -np.inf, 0.5, 0.65, 0.3, 0.1]
    half, quarter, little = dir_at_far(searches, [0.5, 0.25, 0.1])
    # Two of four strangers may be taken: above 0.3, the third best of 0.65, 0.5, 0.3, 0.1.
    assert (half.far, half.tar, half.threshold) == (0.5, 2 / 3, 0.5)
    # One: above 0.5, so Bob's 0.6 counts.
    assert (quarter.far, quarter.tar, quarter.threshold) == (0.25, 2 / 3, 0.6)
    # None: above 0.65.
    assert (little.far, little.tar, little.threshold) == (0.0, 1 / 3, 0.9)
    assert [p.resolvable for p in (half, quarter, little)] == [True, True, False]
    assert dir_at_counts(searches, [0, 1, 2, 3, 4]).tolist() == [1 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3]


def test_cmc_by_hand():
    searches = by_hand(SCORES, GALLERY, PROBES)
    assert cmc(searches).tolist() == [2 / 3, 1.0]
    assert searches.ahead.tolist() == [0, 0, 1, 2, 2, 2, 2]
    assert searches.other[:3].tolist() == [0.3, 0.2, 0.8]


def test_at_rank_two_the_second_identity_is_a_detection_too():
    searches = by_hand(SCORES, GALLERY, PROBES)
    assert dir_at_far(searches, [0.25], rank=2)[0].tar == 1.0
    assert dir_at_far(searches, [0.25], rank=1)[0].tar == 2 / 3


def test_probes_and_gallery_faces_that_were_not_acquired_stay_and_match_nobody():
    scores = np.array(SCORES).T
    searches = search(
        lambda g, p: scores[np.ix_(g, p)],
        GALLERY,
        PROBES,
        gallery_acquired=np.array([True, False, True]),
        probes_acquired=np.array([True, False, True, False, True, True, True]),
    )
    # Ann has only her first image left; the second probe is lost, the third now finds Bob.
    assert search_scores(searches).tolist() == [0.4, -np.inf, 0.7, -np.inf, 0.3, 0.3, 0.05]
    assert cmc(searches).tolist() == [2 / 3, 2 / 3]
    assert searches.mated.sum() == 3
    point = dir_at_far(searches, [1.0])[0]  # even then a failure is no detection
    assert (point.far, point.tar) == (3 / 4, 2 / 3)


def test_a_gallery_without_any_acquired_face_finds_nobody():
    searches = search(
        lambda g, p: np.zeros((len(g), len(p))), [1, 2], [1, 3], gallery_acquired=np.zeros(2, bool)
    )
    assert searches.mated.tolist() == [True, False]
    assert cmc(searches).tolist() == [0.0, 0.0]
    assert dir_at_far(searches, [1.0])[0].tar == 0.0


def test_a_subject_whose_gallery_faces_all_failed_is_still_mated():
    scores = np.array([[0.9, 0.8], [0.5, 0.4]])
    searches = search(
        lambda g, p: scores[np.ix_(g, p)],
        [1, 2],
        [1, 3],
        gallery_acquired=np.array([False, True]),
    )
    assert searches.mated.tolist() == [True, False]
    assert searches.ahead[0] == searches.identities == 2
    assert search_scores(searches).tolist() == [-np.inf, 0.4]


# --- others' mistakes --------------------------------------------------------------------------


def test_trap_pooling_the_negatives_of_all_probes():
    # One stranger resembles everybody, nine resemble nobody: 10% of searches are false alarms at
    # any threshold below 0.9, but only 10 of 100 scores: pooled, 10% of them allow 0.9.
    gallery, probes = list(range(10)), [0, *range(100, 110)]
    matrix = np.full((11, 10), 0.1)
    matrix[0, 0] = 0.5
    matrix[1] = 0.9
    searches = by_hand(matrix, gallery, probes)
    point = dir_at_far(searches, [0.05])[0]
    pooled = np.sort(matrix[1:].ravel())[::-1][int(0.05 * 100)]  # what verification would do
    assert pooled == 0.9 and (matrix[1:] > pooled).any(axis=1).mean() <= 0.05
    assert (point.far, point.tar) == (0.0, 0.0) and point.threshold > 0.9
    # At 10% one search of ten may be false, and then the threshold falls to 0.5.
    assert dir_at_far(searches, [0.1])[0].tar == 1.0
    pooled_at_ten = np.sort(matrix[1:].ravel())[::-1][int(0.1 * 100)]
    assert pooled_at_ten == 0.1  # with pooled scores every search would be a false alarm from here
    spread = np.full((11, 10), 0.1)
    spread[0, 0] = 0.5
    spread[np.arange(1, 11), np.arange(10)] = 0.9  # each stranger resembles one person
    searches = by_hand(spread, gallery, probes)
    assert dir_at_far(searches, [0.1])[0].tar == 0.0  # pooled: 10 of 100, so 1.0


def test_trap_not_requiring_rank_one():
    searches = by_hand([[0.8, 0.9], [0.1, 0.2]], [1, 2], [1, 3])
    point = dir_at_far(searches, [0.5])[0]
    assert searches.own[0] == 0.8 > 0.2  # above every non-mated score, yet not first
    assert point.tar == 0.0


def test_trap_best_wrong_score_of_mated_probes_among_the_negatives():
    # Ann's probe resembles Bob at 0.7. That is not a false alarm of the open set.
    searches = by_hand([[0.75, 0.7], [0.6, 0.1], [0.2, 0.1], [0.1, 0.1]], [1, 2], [1, 2, 8, 9])
    point = dir_at_far(searches, [0.5])[0]
    assert point.n_nonmated == 2
    assert (point.far, point.threshold) == (0.5, 0.2)


def test_trap_counting_a_probe_once_for_every_gallery_image():
    # Three of Ann's images match; she is one probe of two.
    searches = by_hand(
        [[0.9, 0.8, 0.7, 0.1], [0.6, 0.6, 0.6, 0.5], [0.1] * 4], [1, 1, 1, 2], [1, 2, 9]
    )
    point = dir_at_far(searches, [1.0])[0]
    assert (point.true_accepts, point.n_mated) == (1, 2)
    assert cmc(searches).tolist() == [0.5, 1.0]


def test_cmc_counts_identities_not_images():
    # Four images of Bob are ahead of Ann's: she is second of two identities, not fifth.
    searches = by_hand([[0.5, 0.9, 0.8, 0.7, 0.6]], [1, 2, 2, 2, 2], [1])
    assert cmc(searches).tolist() == [0.0, 1.0]


def test_trap_unstable_argsort():
    # All scores tie: whatever a sort leaves in front, nobody is found before the last rank.
    for n in (2, 17, 100):
        searches = by_hand(np.zeros((n, n)), np.arange(n), np.arange(n))
        assert searches.ahead.tolist() == [n - 1] * n
        assert cmc(searches).tolist() == [0.0] * (n - 1) + [1.0]
        assert not found_at(searches).any()


def test_ties_with_a_non_mated_probe_count_against_the_system():
    searches = by_hand([[0.5, 0.0], [0.5, 0.0], [0.1, 0.0]], [1, 2], [1, 8, 9])
    assert dir_at_far(searches, [0.49])[0].tar == 0.0
    assert dir_at_far(searches, [0.5])[0].tar == 1.0


def test_a_tied_group_of_strangers_is_accepted_whole_or_not_at_all():
    matrix = [[0.6, 0.0]] + [[0.5, 0.0]] * 3 + [[0.1, 0.0]]
    searches = by_hand([*matrix, [0.3, 0.0]], [1, 2], [1, 5, 6, 7, 8, 1])
    points = dir_at_far(searches, [0.25, 0.5, 0.75])
    assert [p.far for p in points] == [0.0, 0.0, 0.75]
    assert [p.tar for p in points] == [0.5, 0.5, 1.0]


# --- curves and errors -------------------------------------------------------------------------


def test_curve_points_have_every_decade_and_the_ends():
    counts = curve_counts(9494)
    assert counts[0] == 1 and counts[-1] == 9494 and len(counts) < 210
    assert {9, 94, 949} <= set(counts.tolist())
    assert (np.diff(counts) > 0).all()
    ranks = curve_ranks(4249)
    assert ranks[:50].tolist() == list(range(1, 51)) and ranks[-1] == 4249
    assert curve_ranks(3).tolist() == [1, 2, 3]


def test_errors():
    mated_only = by_hand([[0.5, 0.0]], [1, 2], [1])
    strangers_only = by_hand([[0.5, 0.0]], [1, 2], [9])
    for searches in (mated_only, strangers_only):
        with pytest.raises(ValueError, match="both kinds"):
            dir_at_far(searches, [0.1])
        with pytest.raises(ValueError, match="mated and non-mated"):
            dir_at_counts(searches, [0])
    with pytest.raises(ValueError, match="none of the probes"):
        cmc(strangers_only)
    with pytest.raises(ValueError, match="ranks are counted from 1"):
        found_at(mated_only, 0)
