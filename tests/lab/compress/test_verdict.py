"""The one verdict: given once, on record, and how many people it would take."""

from __future__ import annotations

import json

import numpy as np
import pytest

from facebench.gate.rules import parse_rule
from facebench.lab.compress.verdict import decide_once, ledger_of, people_needed
from tests.lab.compress.toys import record_of

RULE = parse_rule("lfw.accuracy drop <= 2pt at 95%", "test")


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
    found = decide_once(RULE, tmp_path / "a-0", tmp_path / "ledger.json", lambda: both)
    assert found.outcome == outcome
    assert found.verdict.measured.startswith(_points(gained - lost))
    assert bool(found.needed) == (outcome != "pass") and not found.again


def _points(pairs: int) -> str:
    return f"{'−' if pairs < 0 else '+'}{abs(100 * pairs / 600):.2f} pt"


def test_it_is_given_once_whatever_is_asked_later(tmp_path) -> None:
    ledger, folder = tmp_path / "ledger.json", tmp_path / "a-0"
    first = decide_once(RULE, folder, ledger, lambda: pair_of_records(60))

    def never():
        raise AssertionError("a second look")

    again = decide_once(RULE, folder, ledger, never)
    assert again.outcome == first.outcome == "fail"
    assert again.record.digest() == first.record.digest()


def test_other_verdicts_on_the_same_people_are_counted(tmp_path) -> None:
    ledger = tmp_path / "ledger.json"
    for number in range(3):
        both = pair_of_records(number)
        found = decide_once(RULE, tmp_path / f"net-{number}", ledger, lambda both=both: both)
        assert found.earlier == number
    assert found.again.startswith("these people have given 2 verdicts before")
    assert len(json.loads(ledger.read_text())) == 3


def test_one_that_was_cut_short_before_it_was_written_counts_once(tmp_path) -> None:
    ledger, folder = tmp_path / "ledger.json", tmp_path / "net-0"
    decide_once(RULE, folder, ledger, lambda: pair_of_records(1))
    (folder / "verdict.json").unlink()
    found = decide_once(RULE, folder, ledger, lambda: pair_of_records(1))
    assert found.earlier == 0 and len(json.loads(ledger.read_text())) == 1


def test_the_ledger_is_of_one_start_and_its_people(tmp_path) -> None:
    files = {ledger_of(tmp_path, *of) for of in (("a", "b"), ("a", "c"), ("d", "b"))}
    assert len(files) == 3 and ledger_of(tmp_path, "a", "b") in files


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
