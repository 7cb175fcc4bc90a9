"""``facebench compare``: models against a base, on the same comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facebench.errors import UserError
from facebench.reporting.paired_statistics import PairedStatistic, paired_statistics
from facebench.reporting.record import Record
from facebench.statistics.paired import McNemar, mcnemar_exact

# Words of the signature that must agree for two records to be compared.
BINDING = {
    "protocol": "protocol",
    "pairs": "list of comparisons",
    "data": "data",
    "align": "alignment",
}
_OWN = ("model", "weights")  # what is compared


@dataclass(frozen=True)
class SignatureDifference:
    """A word of the signature and its two values, ``-`` where it is absent."""

    word: str
    base: str
    candidate: str

    def __str__(self) -> str:
        return f"{BINDING.get(self.word, self.word)} {self.base} against {self.candidate}"


@dataclass(frozen=True)
class Comparison:
    """One candidate against the base.

    changed: comparisons that only one of the two decided rightly, None without scores; worse,
    better: their positions in the protocol's list, from 0, those whose scores moved most first;
    settings: what else their signatures differ in; keys: the faces of every comparison, where they
    are known.
    """

    base: Record
    candidate: Record
    statistics: tuple[PairedStatistic, ...]
    changed: McNemar | None
    worse: tuple[int, ...]
    better: tuple[int, ...]
    settings: tuple[SignatureDifference, ...]
    keys: tuple[tuple[str, str], ...] | None = None


def signature_differences(base: str, candidate: str) -> list[SignatureDifference]:
    """The words in which two signatures differ, in their order."""
    one, other = _words(base), _words(candidate)
    return [
        SignatureDifference(word, one.get(word, "-"), other.get(word, "-"))
        for word in dict.fromkeys([*one, *other])
        if one.get(word) != other.get(word)
    ]


def require_comparable(base: Record, candidate: Record) -> list[SignatureDifference]:
    """What two records' settings differ in; UserError names protocol, data or alignment that do."""
    found = signature_differences(base.signature, candidate.signature)
    wrong = [difference for difference in found if difference.word in BINDING]
    if base.data.kind != candidate.data.kind:
        raise UserError(
            f"{base.model.id} was evaluated on {base.data.kind} faces and {candidate.model.id} on "
            f"{candidate.data.kind} ones; they are never compared: evaluate both on one --data"
        )
    if wrong:
        raise UserError(
            f"{base.model.id} and {candidate.model.id} cannot be compared; their signatures differ "
            f"in {'; '.join(map(str, wrong))}: evaluate both alike"
        )
    return [difference for difference in found if difference.word not in _OWN]


def compare_records(
    base: Record,
    candidates: Sequence[Record],
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> list[Comparison]:
    """Every candidate against the base; all are checked before the first is computed.

    UserError: `require_comparable`, `paired_statistics`.
    """
    settings = [require_comparable(base, candidate) for candidate in candidates]
    return [
        _compare(base, candidate, differs, level, draws, seed)
        for candidate, differs in zip(candidates, settings, strict=True)
    ]


def _compare(
    base: Record,
    candidate: Record,
    settings: list[SignatureDifference],
    level: float,
    draws: int,
    seed: int,
) -> Comparison:
    statistics = paired_statistics(base, candidate, level=level, draws=draws, seed=seed)
    one, other = base.table, candidate.table
    changed, worse, better = None, np.array([], np.int64), np.array([], np.int64)
    if one is not None and other is not None and np.array_equal(one.mated, other.mated):
        changed = mcnemar_exact(one.correct, other.correct)
        with np.errstate(invalid="ignore"):
            moved = np.abs(other.scores.astype(np.float64) - one.scores.astype(np.float64))
        order = np.argsort(-np.nan_to_num(moved), kind="stable")
        worse = order[(one.correct & ~other.correct)[order]]
        better = order[(other.correct & ~one.correct)[order]]
    return Comparison(
        base,
        candidate,
        tuple(statistics),
        changed,
        tuple(worse.tolist()),
        tuple(better.tolist()),
        tuple(settings),
    )


def _words(signature: str) -> dict[str, str]:
    pairs = (part.partition(":") for part in signature.split("|"))
    return {word: value for word, _, value in pairs}
