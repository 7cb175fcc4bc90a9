"""Parts of all pairs: kept, found, damaged, too short; always the bits of one walk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facebench.base.errors import UserError
from facebench.protocols import pair_parts
from facebench.protocols.pair_parts import PairParts, clear_parts
from facebench.similarity.base import Projection, score_block
from facebench.similarity.tiles import Tiles
from facebench.statistics.all_pairs.points import PairTail
from facebench.statistics.all_pairs.walk import walk_pairs
from tests.statistics.test_all_pairs import bits

Faces = tuple[Projection, np.ndarray, np.ndarray]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEBENCH_CACHE", str(tmp_path))
    return tmp_path


def faces(n: int = 40, seed: int = 0) -> Faces:
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, (n, 3)).astype(np.float32)  # many ties
    people = rng.integers(0, max(2, n // 4), n)
    people[:3] = (0, 0, 1)
    return Projection(rows, np.zeros(n)), people, rng.random(n) > 0.1


def walker(given: Faces, rows: int = 8):
    projected, people, acquired = given

    def walk(length: int, part: tuple[int, int] = (0, 1)) -> PairTail:
        return walk_pairs(
            lambda a, b: score_block(projected[a], projected[b]),
            people,
            acquired=acquired,
            tail=length,
            part=part,
            rows=rows,
            rough=Tiles.of(projected),
            workers=1,
        )

    return walk


def parts_of(given: Faces) -> PairParts:
    return PairParts.of(given[0], given[1], given[2])


def whole(given: Faces, length: int) -> dict[str, object] | None:
    found = parts_of(given).whole(walker(given), length)
    return None if found is None else bits(found)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(6, 30),
    of=st.integers(1, 4),
    length=st.integers(1, 60),
    longer=st.integers(0, 400),
    lost=st.integers(0, 3),
)
def test_parts_are_the_bits_of_the_whole(seed, n, of, length, longer, lost):  # type: ignore[no-untyped-def]
    """Walked with a longer tail, and one of them by whoever evaluates."""
    given = faces(n, seed)
    walk, parts = walker(given), parts_of(given)
    clear_parts()
    made = [number for number in range(of) if number != lost]
    for number in made:
        parts.write((number, of), walk(length + longer, (number, of)))
    assert parts.present(of) == made
    expected = bits(walk(length)) if made else None
    assert whole(given, length) == expected


def test_parts_of_other_faces_are_not_found() -> None:
    given = faces()
    parts_of(given).write((0, 1), walker(given)(50))
    assert whole(given, 50) is not None
    rows, people, acquired = given
    other = rows.rows.copy()
    other[5, 1] += 1
    assert whole((Projection(other, rows.bias), people, acquired), 50) is None
    assert whole((rows, people[::-1].copy(), acquired), 50) is None
    assert whole((rows, people, ~acquired), 50) is None


def test_a_damaged_part_is_walked_again(cache: Path) -> None:
    given = faces()
    walk = walker(given)
    for number in range(2):
        parts_of(given).write((number, 2), walk(50, (number, 2)))
    assert parts_of(given).has((0, 2), 50)
    (first, _) = sorted(cache.rglob("part-*"))
    first.write_bytes(first.read_bytes()[:-1] + b"?")
    assert not parts_of(given).has((0, 2), 50)
    assert whole(given, 50) == bits(walk(50))


def test_parts_with_a_shorter_tail_are_no_help() -> None:
    given = faces()
    parts_of(given).write((0, 1), walker(given)(20))
    assert whole(given, 21) is None and not parts_of(given).has((0, 1), 21)
    assert whole(given, 20) == bits(walker(given)(20))
    parts_of(given).write((0, 1), walker(given)(10_000))  # all that there are
    assert parts_of(given).has((0, 1), 20_000)


def test_only_parts_are_cleared(cache: Path) -> None:
    given = faces()
    for number in range(2):
        parts_of(given).write((number, 2), walker(given)(50, (number, 2)))
    size = sum(path.stat().st_size for path in cache.rglob("part-*"))
    guest = parts_of(given).folder / "notes.txt"
    guest.write_text("precious")
    assert pair_parts.parts_size() == size == clear_parts()
    assert guest.read_text() == "precious" and parts_of(given).present(2) == []
    guest.unlink()
    parts_of(given).write((0, 1), walker(given)(50))
    clear_parts()
    assert pair_parts.parts_size() == 0 and not parts_of(given).folder.exists()


def test_the_fuller_division_is_taken() -> None:
    given = faces()
    walk = walker(given)
    parts_of(given).write((0, 3), walk(50, (0, 3)))
    for number in range(2):
        parts_of(given).write((number, 2), walk(50, (number, 2)))
    calls = []

    def counted(length: int, part: tuple[int, int]) -> PairTail:
        calls.append(part)
        return walk(length, part)

    assert parts_of(given).whole(counted, 50) is not None
    assert not calls


def test_a_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pair_parts, "write_atomically", full)
    given = faces()
    with pytest.raises(UserError, match="cannot be kept: No space left on device; make room"):
        parts_of(given).write((0, 1), walker(given)(20))
