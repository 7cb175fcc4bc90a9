"""People in two halves: nobody in both, and no comparison lost that need not be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.base.errors import UserError
from facebench.lab.compress.halves import halves_of, sides_of
from facebench.protocols.cards import load_protocol
from facebench.protocols.outcome import Comparisons
from facebench.protocols.run import prepare_run
from facebench.protocols.settings import Settings

SETTINGS = Settings(store=False)


def comparisons(pairs: list[tuple[int, int, bool, int]]) -> Comparisons:
    """(person, person, mated, fold): an image of its own on either side."""
    keys = tuple(f"{n:03d}{end}" for n in range(len(pairs)) for end in "ab")
    left = np.arange(0, 2 * len(pairs), 2)
    people = np.array([p for one, other, *_ in pairs for p in (one, other)])
    return Comparisons(
        keys, left, left + 1, np.array([m for *_, m, _ in pairs]),
        np.array([f for *_, f in pairs]), np.unique(people, return_inverse=True)[1],
    )  # fmt: skip


def of_lists(people: int, folds: int) -> Comparisons:
    """Each person mated, and compared with the next of the same fold: chains of three."""
    pairs: list[tuple[int, int, bool, int]] = []
    for person in range(people):
        fold = person * folds // people
        pairs.append((person, person, True, fold))
        if person % 3 < 2:
            pairs.append((person, person + 1, False, fold))
    return comparisons(pairs)


def test_people_who_hang_together_stay_together_and_the_halves_are_alike() -> None:
    found = of_lists(120, 4)
    side = sides_of(found, 3)
    left, right = side[found.subjects[found.left]], side[found.subjects[found.right]]
    assert (left == right).all()
    for fold in range(4):
        for mated in (True, False):
            own = left[(found.folds == fold) & (found.mated == mated)]
            assert abs(own.mean() - 0.5) < 0.1


@pytest.mark.parametrize("seed", range(6))
def test_folds_of_one_group_each_are_shared_out(seed: int) -> None:
    """As `facebench data pairs` draws them: in a fold everybody hangs together."""
    rings = [
        (10 * fold + one, 10 * fold + (one + 1) % 10, False, fold)
        for fold in range(10)
        for one in range(10)
    ]
    mated = [(person, person, True, person // 10) for person in range(100)]
    side = sides_of(comparisons([*rings, *mated]), seed)
    assert np.bincount(side).tolist() == [50, 50]


def test_a_seed_tells_the_halves() -> None:
    found = of_lists(120, 4)
    assert (sides_of(found, 3) == sides_of(found, 3)).all()
    assert (sides_of(found, 3) != sides_of(found, 4)).any()


def test_a_group_of_all_is_cut_person_by_person() -> None:
    ring = [(n, (n + 1) % 40, False, n % 2) for n in range(40)]
    found = comparisons([*ring, *((n, n, True, n % 2) for n in range(40))])
    assert np.bincount(sides_of(found, 0)).tolist() == [20, 20]


@given(
    st.lists(
        st.tuples(st.integers(0, 15), st.integers(0, 15), st.integers(0, 2)),
        min_size=1,
        max_size=60,
    ),
    st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_only_groups_of_more_than_a_quarter_are_cut(pairs, seed) -> None:
    found = comparisons([(one, other, one == other, fold) for one, other, fold in pairs])
    side = sides_of(found, seed)
    group = list(range(16))  # by hand: the least person of each group
    for _ in range(16):
        for one, other, _fold in pairs:
            group[one] = group[other] = min(group[one], group[other])
    number = {
        person: n for n, person in enumerate(sorted({p for a, b, _ in pairs for p in (a, b)}))
    }
    for one, other, _fold in pairs:
        own = sum(group[a] == group[one] for a, _, _ in pairs)
        if own <= 0.25 * len(pairs):
            assert side[number[one]] == side[number[other]]


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    """40 people of two images, of whom the list knows the names; images are never read."""
    lines = ["2\t20"]
    for fold in range(2):
        names = [f"P{fold}_{n:02d}" for n in range(20)]
        lines += [f"{name}\t1\t2" for name in names]
        lines += [f"{names[n]}\t1\t{names[n ^ 1]}\t2" for n in range(20)]
        for name in names:
            (tmp_path / "lfw" / name).mkdir(parents=True)
            for number in (1, 2):
                (tmp_path / "lfw" / name / f"{name}_{number:04d}.jpg").write_bytes(b"")
    (tmp_path / "pairs.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_a_protocol_in_two_has_all_its_pairs_and_nobody_twice(mini: Path) -> None:
    prepared = prepare_run(load_protocol("lfw"), mini, SETTINGS, images=True)
    halves = halves_of(prepared, 0)
    parts = [halves.choosing.comparisons, halves.deciding.comparisons]
    assert halves.dropped == 0 and sum(map(len, parts)) == 80
    people = [{key.split("/")[0] for key in part.keys} for part in parts]
    assert not people[0] & people[1] and len(people[0] | people[1]) == 40
    whole = prepared.comparisons
    expected = set(zip(*_named(whole), strict=True))
    assert set().union(*(set(zip(*_named(part), strict=True)) for part in parts)) == expected
    for half in (halves.choosing, halves.deciding):
        assert half.faces.keys == half.comparisons.keys
        assert half.comparisons.fingerprint != whole.fingerprint
    assert "40 pairs of 20 people" in halves.words


def _named(part: Comparisons):
    keys = np.array(part.keys)
    return keys[part.left], keys[part.right], part.mated, part.folds


def test_dropped_comparisons_are_told(mini: Path) -> None:
    lines = (mini / "pairs.txt").read_text().splitlines()
    text = [line if "\t1\tP" not in line else _ring(line) for line in lines]
    (mini / "pairs.txt").write_text("\n".join(text) + "\n")
    halves = halves_of(prepare_run(load_protocol("lfw"), mini, SETTINGS, images=True), 0)
    assert halves.dropped > 0
    assert f"{halves.dropped:,} between the halves dropped" in halves.words
    assert (
        len(halves.choosing.comparisons) + len(halves.deciding.comparisons) == 80 - halves.dropped
    )


def _ring(line: str) -> str:
    """Everybody of a fold beside the next."""
    name = line.split("\t")[0]
    fold, number = name[1], int(name[3:])
    return f"{name}\t1\tP{fold}_{(number + 1) % 20:02d}\t2"


@dataclass(frozen=True)
class _Other:
    card: object


def test_what_cannot_be_cut_is_refused(mini: Path) -> None:
    with pytest.raises(UserError, match=r"is of kind .*name a protocol of pairs"):
        halves_of(_Other(load_protocol("ytf")), 0)
    lines = (mini / "pairs.txt").read_text().splitlines()
    few = ["2\t1", *(line for n in (0, 40) for line in (lines[1 + n], lines[21 + n]))]
    (mini / "pairs.txt").write_text("\n".join(few) + "\n")
    with pytest.raises(UserError, match="too few people to be cut in two halves"):
        halves_of(prepare_run(load_protocol("lfw"), mini, SETTINGS, images=True), 0)
