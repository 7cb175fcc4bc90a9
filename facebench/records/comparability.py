"""Whether two records measure the same thing: the one place that says what must agree.

The *measure* is what a number is of: kind of faces, protocol and its edition, list of comparisons,
data, alignment, and the rule of thresholds. Numbers of different measures are never compared. The
*method* is how embeddings become one score: similarity (by its kind, whatever it has learned),
pooling and template. A history and a baseline hold one method; ``facebench compare`` may compare
two, and says so, and so does a gate of smaller templates against whole ones. All else in a
signature is of the model that is compared, such as weights, input, precision and the flip rule (a
part of how it makes an embedding, paid for in passes), or is told where it differs: the version of
facebench, the draws of the bootstrap, what unreadable images are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from facebench.base.errors import UserError
from facebench.records.record import Record, similarity_kind, template_kind
from facebench.similarity.templates import PLAIN

_NAMES = {"pairs": "list of comparisons", "align": "alignment"}
_MEASURE = ("protocol", "pairs", "data", "align", "rule")
_OWN = ("model", "weights")  # what is compared


@dataclass(frozen=True)
class SettingDifference:
    """A word of the signature and its two values, ``-`` where it is absent."""

    word: str
    base: str
    candidate: str

    def __str__(self) -> str:
        return f"{_NAMES.get(self.word, self.word)} {self.base} against {self.candidate}"


def signature_differences(base: str, candidate: str) -> list[SettingDifference]:
    """The words in which two signatures differ, in their order."""
    one, other = _words(base), _words(candidate)
    return [
        SettingDifference(word, one.get(word, "-"), other.get(word, "-"))
        for word in dict.fromkeys([*one, *other])
        if one.get(word) != other.get(word)
    ]


def measure_of(record: Record) -> tuple[str, ...]:
    """What a record's numbers are of; records with the same measure may be compared."""
    words = _words(record.signature)
    return record.data.kind, *(words[word] for word in _MEASURE)


def group_records(records: Sequence[Record]) -> list[list[Record]]:
    """Records by what they measure, one group per table, in order of appearance."""
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        groups.setdefault(measure_of(record), []).append(record)
    return list(groups.values())


def method_of(record: Record) -> tuple[str, str, str]:
    """The similarity by its kind, the pooling, and the template by its name."""
    return similarity_kind(record.similarity), record.pooling, template_kind(record.model)


def labelling_of(record: Record) -> tuple[str, ...]:
    """Every column of groups with the fingerprint of its labels; groups of records that do not
    agree in a column's are never compared.
    """
    return tuple(sorted(one.word for one in record.groups))


def measured_otherwise(base: Record, candidate: Record) -> list[str]:
    """What differs in the measure of two records, in words; nothing where they may be compared."""
    differs = signature_differences(base.signature, candidate.signature)
    found = [str(difference) for difference in differs if difference.word in _MEASURE]
    if base.data.kind != candidate.data.kind:
        found.insert(0, f"{base.data.kind} faces against {candidate.data.kind} ones")
    return found


def scored_otherwise(base: Record, candidate: Record) -> list[str]:
    """What differs in the method of two records, in words."""
    names = ("similarity", "pooling", "template")
    pairs = zip(names, method_of(base), method_of(candidate), strict=True)
    return [f"{name} {one} against {other}" for name, one, other in pairs if one != other]


def require_comparable(base: Record, candidate: Record) -> list[SettingDifference]:
    """What two records' other settings differ in; UserError names what of their measure does."""
    if base.data.kind != candidate.data.kind:
        raise UserError(
            f"{base.model.id} was evaluated on {base.data.kind} faces and {candidate.model.id} on "
            f"{candidate.data.kind} ones; they are never compared: evaluate both on one --data"
        )
    wrong = measured_otherwise(base, candidate)
    if wrong:
        raise UserError(
            f"{base.model.id} and {candidate.model.id} cannot be compared; their signatures differ "
            f"in {'; '.join(wrong)}: evaluate both alike"
        )
    found = signature_differences(base.signature, candidate.signature)
    return [difference for difference in found if difference.word not in _OWN]


def _words(signature: str) -> dict[str, str]:
    pairs = (part.partition(":") for part in signature.split("|"))
    return {word: value for word, _, value in pairs}


_Fact = Callable[[Record], str]
_OF_MODELS: tuple[_Fact, ...] = (
    lambda record: f"weights {record.model.weights_hash[:8]}",
    lambda record: record.model.variant,
    lambda record: record.model.precision,
    lambda record: record.model.template or PLAIN,
)
_OF_RECORDS: tuple[_Fact, ...] = (
    lambda record: record.pooling,
    lambda record: f"v{record.protocol.version}{record.protocol.edition}",
    lambda record: record.data.fingerprint,
    lambda record: record.alignment,
    lambda record: ", ".join(f"by {one.column}" for one in record.groups),
    *_OF_MODELS,
)


def told_apart(records: Sequence[Record], *, of_model: bool = False) -> list[str]:
    """For each record what it has other than the others of its model, e.g. ``joint-bayesian``.

    Empty where a model has one record. of_model: only the model matters, not how it was evaluated.
    """
    by_model: dict[str, list[Record]] = {}
    for record in records:
        by_model.setdefault(record.model.id, []).append(record)
    return [_settings(record, by_model[record.model.id], of_model) for record in records]


def names_of(records: Sequence[Record]) -> list[str]:
    """What records are called among each other: the model, and what it has other than its likes."""
    told = zip(records, told_apart(records), strict=True)
    return [f"{r.model.id} ({own})" if own else r.model.id for r, own in told]


def _settings(record: Record, of_one: Sequence[Record], of_model: bool) -> str:
    """Similarity, pooling and so on, those in which the records of one model differ."""
    facts = _OF_MODELS if of_model else (_similarity_among(of_one), *_OF_RECORDS)
    varied = [fact for fact in facts if len({fact(one) for one in of_one}) > 1]
    said = [fact(record) or "plain" for fact in varied]
    twins = [one for one in of_one if all(fact(one) == fact(record) for fact in varied)]
    if (
        len(twins) > 1 and len({one.digest() for one in twins}) > 1
    ):  # e.g. of another version of facebench
        said.append(f"record {record.digest()[:8]}")
    return "; ".join(said)


def _similarity_among(records: Sequence[Record]) -> _Fact:
    """A similarity by its kind, with what it has learned only where two are of one kind."""
    whole = {record.similarity for record in records}
    kinds = {similarity_kind(similarity) for similarity in whole}
    if len(kinds) == len(whole):
        return lambda record: similarity_kind(record.similarity)
    return lambda record: record.similarity
