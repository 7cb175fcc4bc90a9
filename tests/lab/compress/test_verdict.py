"""The one verdict: given once, on record, and how many people it would take."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facebench.gate.rules import parse_rule
from facebench.lab.compress.ledger import Earlier, Ledger, people_of
from facebench.lab.compress.verdict import decide_once, people_needed
from facebench.protocols.outcome import Comparisons
from tests.lab.compress.toys import record_of

RULE = parse_rule("lfw.accuracy drop <= 2pt at 95%", "test")


def ledger_of(folder: Path, people: Iterable[int] = range(9)) -> Ledger:
    return Ledger(frozenset(map(str, people)), folder / "verdicts")


def pair_of_records(lost: int, gained: int = 0, people: int = 600):
    """A base that is right but for every tenth pair, and a candidate that loses and gains some."""
    right = np.arange(people) % 10 != 0
    other = right.copy()
    other[np.flatnonzero(right)[:: max(1, len(right) // (lost + 1))][:lost]] = False
    other[np.flatnonzero(~right)[:gained]] = True
    return record_of("base", right), record_of("small", other)


@pytest.mark.parametrize(
    ("lost", "gained", "outcome"), [(2, 2, "pass"), (60, 0, "fail"), (20, 14, "undecided")]
)
def test_it_is_the_gates(tmp_path, lost: int, gained: int, outcome: str) -> None:
    both = pair_of_records(lost, gained)
    found = decide_once(RULE, tmp_path / "a-0", ledger_of(tmp_path), lambda: both)
    assert found.outcome == outcome
    assert found.verdict.measured.startswith(_points(gained - lost))
    assert bool(found.needed) == (outcome != "pass") and not found.again


def _points(pairs: int) -> str:
    return f"{'−' if pairs < 0 else '+'}{abs(100 * pairs / 600):.2f} pt"


def test_it_is_given_once_whatever_is_asked_later(tmp_path) -> None:
    ledger, folder = ledger_of(tmp_path), tmp_path / "a-0"
    first = decide_once(RULE, folder, ledger, lambda: pair_of_records(60))

    def never():
        raise AssertionError("a second look")

    again = decide_once(RULE, folder, ledger, never)
    assert again.outcome == first.outcome == "fail"
    assert again.record.digest() == first.record.digest()


def test_other_verdicts_by_the_same_people_are_counted_wherever_they_were_asked(tmp_path) -> None:
    for number in range(3):
        both = pair_of_records(number)
        work = tmp_path / f"work-{number}" / f"net-{number}"
        found = decide_once(RULE, work, ledger_of(tmp_path), lambda both=both: both)
        assert found.earlier == Earlier(same=number)
    assert found.again.startswith("these people have given 2 verdicts before: the level is that")


def test_verdicts_by_some_of_these_people_are_told(tmp_path) -> None:
    """As after another --seed, which cuts the same people anew."""
    asked = [range(10), range(6, 16), range(20, 30), range(10)]
    for number, people in enumerate(asked):
        ledger = ledger_of(tmp_path, people)
        found = decide_once(
            RULE, tmp_path / f"net-{number}", ledger, lambda: pair_of_records(2, 2)
        ).earlier
        assert found == [Earlier(), Earlier(0, 1, 0.4), Earlier(), Earlier(1, 1, 0.4)][number]
    said = "1 verdict before; up to 40% of these people were among those who gave 1 verdict more"
    assert said in found.words
    (tmp_path / "verdicts" / "net-0.json").write_text("{}")  # damaged: nobody is known of it
    assert ledger_of(tmp_path, range(10)).note("new", RULE, "pass") == Earlier(1, 1, 0.4)


def test_one_that_was_cut_short_before_it_was_written_counts_once(tmp_path) -> None:
    ledger, folder = ledger_of(tmp_path), tmp_path / "net-0"
    decide_once(RULE, folder, ledger, lambda: pair_of_records(1))
    (folder / "verdict.json").unlink()
    found = decide_once(RULE, folder, ledger, lambda: pair_of_records(1))
    assert found.earlier == Earlier() and len(list(ledger.folder.iterdir())) == 1


def test_people_are_known_by_their_names_and_numbers_by_their_data() -> None:
    rows = np.arange(2)

    def people(names: tuple[str, ...], data: str = "lfw") -> frozenset[str]:
        pairs = Comparisons(("a", "b", "c", "d"), rows, rows + 2, rows > 0, rows + 1,
                            np.array([0, 1, 2, 1]), names=names)  # fmt: skip
        half: Any = SimpleNamespace(comparisons=pairs, faces=SimpleNamespace(name=data))
        return people_of(half)

    named, numbered = ("Ann", "Bo", "Cy"), ("0", "1", "2")
    assert people(named) == people(named, "calfw") and len(people(named)) == 3
    assert people(numbered) != people(numbered, "calfw") and people(()) == people(numbered)


def test_the_people_needed_would_pass_it(tmp_path) -> None:
    """With so many people of the same kind the interval ends at the bound four times of five."""
    base, small = pair_of_records(20, 14)
    said = people_needed(RULE, base, small)
    number = int(said.partition("about ")[2].partition(" people")[0].replace(",", ""))
    assert "−1.00 pt is how it is" in said and said.endswith("here are 900")
    spread = np.sqrt(34 / 600 - 0.01**2)  # of one pair's change, of which 900 people have 600
    error = spread / np.sqrt(number * 600 / 900)
    assert 0.01 + (1.96 + 0.84) * error == pytest.approx(0.02, rel=0.02)
    assert "no number of people" in people_needed(RULE, *pair_of_records(60))
