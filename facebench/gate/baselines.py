"""Which baseline a record is held against: of the same measure and method; smaller templates, where
there is none of their kind, against whole ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from facebench.base.errors import UserError
from facebench.gate.groups import has_groups
from facebench.gate.rules import Rule
from facebench.records.agreement import require_recounted
from facebench.records.comparability import (
    labelling_of,
    measured_otherwise,
    method_of,
    require_comparable,
)
from facebench.records.record import Record
from facebench.similarity.templates import PLAIN


def baseline_of(rule: Rule, record: Record, baselines: Sequence[Record]) -> Record:
    """The baseline that a record may be compared with, of the same method; UserError: none, and
    what differs, or several.
    """
    if rule.of_model and baselines:
        return _baseline_of_fact(rule, record, baselines)
    own = [base for base in baselines if base.protocol.name == record.protocol.name]
    if not own:
        raise UserError(
            f"rule {rule.text!r}: there is no baseline of {record.protocol.name}; name one with "
            "--baseline, or make one with `facebench gate --update`"
        )
    held = _alike(own, record)
    if not held:
        others = dict.fromkeys(map(_method_text, own))
        raise UserError(
            f"rule {rule.text!r}: no baseline of {record.protocol.name} has "
            f"{_method_text(record)}, as {record.model.id} has (there is: {'; '.join(others)}); "
            "evaluate both alike, or name another with --baseline"
        )
    fit = [base for base in held if not measured_otherwise(base, record)]
    if not fit:
        require_comparable(held[0], record)
    # Two that have learned the same kind of similarity differ in what they have learned.
    nearest = [base for base in fit if base.similarity == record.similarity] or fit
    if rule.of_damage:
        nearest = [base for base in nearest if has_groups(rule, base)] or nearest
    alike = [base for base in nearest if labelling_of(base) == labelling_of(record)]
    nearest = alike or nearest
    if len(nearest) > 1:
        models = ", ".join(f"{base.model.id} {base.digest()[:8]}" for base in nearest)
        raise UserError(
            f"rule {rule.text!r}: {len(nearest)} baselines of {record.protocol.name} fit "
            f"({models}); keep one"
        )
    return nearest[0]


def _alike(own: Sequence[Record], record: Record) -> list[Record]:
    """Those of the record's method; where there are none, those that differ from it only in that
    their embeddings are kept whole.
    """
    same = [base for base in own if method_of(base) == method_of(record)]
    return same or [base for base in own if method_of(base) == (*method_of(record)[:2], PLAIN)]


def _method_text(record: Record) -> str:
    """``cosine and none``, ``cosine and none and int8``."""
    kept = f" and {record.model.template}" if record.model.template else ""
    return f"{record.similarity} and {record.pooling}{kept}"


def _baseline_of_fact(rule: Rule, record: Record, baselines: Sequence[Record]) -> Record:
    """The baseline of a fact of the model: the record's own where there is one, else all, which
    must then tell the same.
    """
    own = [base for base in baselines if base.protocol.name == record.protocol.name]
    fit = _alike(own, record) or baselines
    told = {fact_of(rule, base): base.model.id for base in fit}
    if len(told) > 1:
        values = ", ".join(f"{model} {value:,}" for value, model in told.items())
        raise UserError(
            f"rule {rule.text!r}: the baselines of {record.model.id} differ in {rule.statistic} "
            f"({values}); name one with --baseline"
        )
    return fit[0]


def fact_of(rule: Rule, record: Record) -> float | int:
    """The rule's fact of the record's model, e.g. its bytes; UserError: the record has it not, or
    the weights are there and have another.
    """
    value: float | int | None = getattr(record.model, rule.statistic)
    if value is None:
        raise UserError(
            f"rule {rule.text!r}: the record of {record.model.id} does not tell its "
            f"{rule.statistic}; leave the rule out, or make the record again with `facebench eval`"
        )
    require_recounted(record)
    return value
