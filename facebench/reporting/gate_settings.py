"""What tells the records of one model apart where a gate, a table or a comparison has several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from facebench.reporting.record import Record, similarity_kind

_Fact = Callable[[Record], str]
_OF_MODELS: tuple[_Fact, ...] = (
    lambda record: f"weights {record.model.weights_hash[:8]}",
    lambda record: record.model.variant,
    lambda record: record.model.precision,
)
_OF_RECORDS: tuple[_Fact, ...] = (
    lambda record: record.pooling,
    lambda record: f"v{record.protocol.version}{record.protocol.edition}",
    lambda record: record.data.fingerprint,
    lambda record: record.alignment,
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
    if len({one.digest() for one in twins}) > 1:  # e.g. of another version of facebench
        said.append(f"record {record.digest()[:8]}")
    return "; ".join(said)


def _similarity_among(records: Sequence[Record]) -> _Fact:
    """A similarity by its kind, with what it has learned only where two are of one kind."""
    whole = {record.similarity for record in records}
    kinds = {similarity_kind(similarity) for similarity in whole}
    if len(kinds) == len(whole):
        return lambda record: similarity_kind(record.similarity)
    return lambda record: record.similarity
