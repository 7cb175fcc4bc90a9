"""The one verdict, on people whom no choice has seen, and how many people it would take."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facebench.base.storage import write_atomically
from facebench.base.text import points
from facebench.comparison.paired import Paired, paired_statistics
from facebench.gate.judge import RECORD_LEVEL, Judgement, Verdict
from facebench.gate.rules import Rule
from facebench.lab.compress.ledger import Earlier, Ledger, earlier_of
from facebench.lab.compress.looks import judged
from facebench.lab.compress.plan import CHANCE
from facebench.lab.laboratory.work_folder import read_kept
from facebench.records.files import read_record, save_record
from facebench.records.record import Record
from facebench.statistics.power import units_for

CHOSEN, VERDICT = "chosen.json", "verdict.json"


@dataclass(frozen=True)
class Decision:
    """The verdict on the deciding half. base, record: of the start and of the chosen network there;
    earlier: the verdicts that these people had given before.
    """

    verdict: Verdict
    base: Record
    record: Record
    earlier: Earlier

    @property
    def outcome(self) -> Judgement:
        """Pass, fail or undecided."""
        return self.verdict.outcome

    @property
    def paired(self) -> Paired:
        """The rule's statistic of both, at its level."""
        rule = self.verdict.rule
        level = rule.level or RECORD_LEVEL
        (found,) = paired_statistics(self.base, self.record, [rule.statistic], level=level)
        return found

    @property
    def needed(self) -> str:
        """How many people would do, in words; nothing where it passed."""
        return "" if self.outcome == "pass" else people_needed(
            self.verdict.rule, self.base, self.record
        )  # fmt: skip

    @property
    def again(self) -> str:
        """What is to be said where these people were looked at before."""
        return self.earlier.words


def decide_once(
    rule: Rule,
    folder: Path,
    ledger: Ledger,
    evaluate: Callable[[], tuple[Record, Record]],
) -> Decision:
    """The verdict that ``folder`` holds; where it holds none, the first and only one.

    evaluate: the start and the chosen network on the deciding half. ledger: where the verdict is
    written down before it is given, so that none is forgotten.
    """
    path, records = folder / VERDICT, folder / "decided"
    if not path.exists():
        base, record = (save_record(one, records) for one in evaluate())
        outcome = judged(rule, read_record(base), read_record(record)).outcome
        earlier = vars(ledger.note(folder.name, rule, outcome))
        names = {"base": base, "record": record}
        kept = {name: str(where.relative_to(folder)) for name, where in names.items()}
        write_atomically(path, json.dumps({**kept, "earlier": earlier}, indent=1).encode())
    kept = read_kept(path, "base", "record", "earlier")
    base_record, own = (read_record(folder / str(kept[name])) for name in ("base", "record"))
    return Decision(judged(rule, base_record, own), base_record, own, earlier_of(kept["earlier"]))


def people_needed(rule: Rule, base: Record, record: Record) -> str:
    """How many people would pass a network whose true change is the one found, in words."""
    (paired,) = paired_statistics(base, record, [rule.statistic])
    noise, room = paired.noise, _room(rule, paired)
    if rule.level is None or noise is None:
        return ""
    if room <= 0:
        return (
            "no number of people would pass it, if what was found here is how it is: "
            f"{points(paired.difference)} pt"
        )
    units = units_for(noise, room, rule.level, CHANCE)
    if units is None:
        return ""
    kind = "people" if paired.over_subjects else "comparisons"
    return (
        f"if {points(paired.difference)} pt is how it is, about {units:,} {kind} would pass it "
        f"four times of five; here are {noise.units:,}"
    )


def _room(rule: Rule, paired: Paired) -> float:
    """How far what was found is within the bound."""
    if rule.change is not None:
        return rule.bound + paired.gain
    found = paired.candidate - rule.bound
    return -found if rule.at_most else found
