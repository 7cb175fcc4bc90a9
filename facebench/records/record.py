"""The record of one (model, protocol, dataset, similarity): numbers and all they depend on.

All of a record but its section ``run`` follows from the inputs: an undisturbed run, an interrupted
one and a repeated one have the same `Record.digest`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from facebench.base.errors import UserError
from facebench.records.frames import (
    Scalar,
    Shown,
    estimate_row,
    frame_of,
    interval_columns,
    named_estimates,
)
from facebench.records.groups.estimates import GroupEstimate, group_estimates
from facebench.records.groups.sections import GroupsSection
from facebench.records.scores import ScoreTable
from facebench.records.sections import (
    COUNTED_LATER,
    BootstrapSection,
    ComparisonsSection,
    CurveSection,
    DataSection,
    EnvironmentSection,
    FailuresSection,
    ModelSection,
    ProtocolSection,
    RatesSection,
    RunSection,
    ScoresSection,
    Section,
    SeriesSection,
    VerificationSection,
)
from facebench.similarity.templates import PLAIN, template_of


def folds_of(record: Record) -> VerificationSection:
    """The statistics over folds; TypeError where the record's kind has none."""
    if not isinstance(record.statistics, VerificationSection):
        raise TypeError(f"{record.protocol.kind} has no statistics over folds")
    return record.statistics


if TYPE_CHECKING:
    from pandas import DataFrame

SCHEMA_VERSION = 2
_SCHEMA = """One evaluation; see the module's description. ``signature`` pins every input in one \
line.

notes: what was guessed, and what is unusual about faces, lists or numbers, in sentences.
seal: see `facebench.records.record`; null in records that were made before there were seals."""
READABLE = (1, SCHEMA_VERSION)  # older ones: see `upgraded`


def similarity_kind(similarity: str) -> str:
    """``joint-bayesian`` of ``joint-bayesian(0123456789ab)``: what is named in parentheses is the
    file that holds what was learned, and another one after each fit.
    """
    return similarity.partition("(")[0]


def template_kind(model: ModelSection) -> str:
    """``fp32``, ``int8``; ``pca-64`` of ``pca-64(people-0123456789abcdef)``, whose parentheses name
    the faces that the axes were fitted on.
    """
    return template_of(model.template or PLAIN).name


class Record(Shown, Section):
    """One evaluation: its numbers, and all that they depend on.

    Records come from `evaluate`, `read_record` and comparisons; they are frozen, equal where they
    say the same of the same inputs, and show themselves as a table in a notebook.

    Attributes
    ----------
    signature : str
        One line that pins every input.
    statistics : VerificationSection or RatesSection
        ``accuracy``, ``auc``, ``eer`` and ``tar_at_far`` of pairs in folds, or ``rates``; each with
        ``value`` and ``interval``, and ``headline`` is the one that a record is known by.
    model, protocol, data, comparisons : sections
        What was evaluated, on what.
    groups : tuple of GroupsSection
        Of every column of groups their error rates at one threshold, and how far apart they are.
    notes : tuple of str
        What was guessed, and what is unusual about faces, lists or numbers.
    table : ScoreTable or None
        Every comparison's score and decision, where they are at hand.

    Examples
    --------
    >>> import facebench
    >>> record = facebench.compare("baseline", "sparse_074", protocol="lfw")[0].base
    >>> record.model.id, record.statistics.accuracy.interval.kind
    ('baseline', 'dyadic over subjects')
    >>> record.to_frame()["statistic"].tolist()[:3]
    ['accuracy', 'auc', 'eer']
    """

    schema_version: Literal[2] = 2
    signature: str
    facebench: str
    model: ModelSection
    protocol: ProtocolSection
    data: DataSection
    alignment: str
    pooling: str
    similarity: str
    rule: str
    comparisons: ComparisonsSection
    failures_to_acquire: FailuresSection
    statistics: Annotated[VerificationSection | RatesSection, Field(discriminator="kind")]
    curve: CurveSection | None
    series: tuple[SeriesSection, ...] = ()
    groups: tuple[GroupsSection, ...] = ()
    bootstrap: BootstrapSection
    environment: EnvironmentSection
    scores: ScoresSection | None
    run: RunSection
    notes: tuple[str, ...] = ()
    seal: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    _table: ScoreTable | None = PrivateAttr(default=None)
    _missing: str = PrivateAttr(default="")
    _digest: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.signature != signature_of(self):
            raise ValueError("signature does not follow from the record's other fields")
        if self.data.kind == "synthetic" and not self.data.notice:
            raise ValueError("a record of synthetic data needs its notice")
        return self

    @model_serializer(mode="wrap")
    def _without_no_notes(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A record that has nothing to note, and no groups, is as it was before there were any."""
        values: dict[str, Any] = handler(self)
        return {k: v for k, v in values.items() if k not in ("notes", "groups") or v}

    @property
    def table(self) -> ScoreTable | None:
        """Scores and decisions of every comparison, where they are in memory or beside the file."""
        return self._table

    @property
    def missing(self) -> str:
        """Of a record without its table: what is not there and where it was sought, in words."""
        kept = f"the scores of {self.model.id}, {self.scores.file}" if self.scores else "its scores"
        return self._missing or f"{kept}, are not beside its record"

    def without_table(self, missing: str) -> Record:
        """The same record, whose scores are not in reach. missing: see `missing`."""
        other = self.model_copy()
        other._table, other._missing = None, missing
        return other

    def with_table(self, table: ScoreTable) -> Record:
        """The same record, holding the scores that it was computed from."""
        other = self.model_copy()
        other._table, other._missing = table, ""
        return other

    def __eq__(self, other: object) -> bool:
        """Whether both say the same of the same inputs, whenever and wherever they were made."""
        return isinstance(other, Record) and self.digest() == other.digest()

    def __hash__(self) -> int:
        return hash(self.digest())

    def sealed(self) -> Record:
        """The same record under a seal of what it says now."""
        seal = seal_of(self.model_dump(mode="json"))
        return self.model_copy(update={SEAL: seal})

    def canonical_json(self) -> bytes:
        """The record as UTF-8 JSON, fields in declared order; the same record, the same bytes."""
        return _json_bytes(self.values())

    def values(self) -> dict[str, Any]:
        """The record as JSON values, its seal last; a record without one stays without."""
        values = self.model_dump(mode="json", exclude={SEAL})
        return values | {SEAL: seal_of(values)} if self.seal is not None else values

    def to_frame(self) -> DataFrame:
        """One row for every statistic, the headline first: shares, and what tells the record from
        others, its signature too. Of a record with groups their numbers follow, with columns for
        these.
        """
        model, data = self.model, self.data
        own: dict[str, Scalar] = {
            "model": model.id,
            "protocol": self.protocol.name,
            "data": data.fingerprint,
            "data_name": data.name,
            "data_kind": data.kind,
            "notice": data.notice,
        }
        settings: dict[str, Scalar] = {
            "similarity": self.similarity,
            "pooling": self.pooling,
            "kept_parameters": model.kept_parameters,
            "compression_ratio": model.compression_ratio,
            "bytes": model.bytes,
            **{name: getattr(model, name) for name in COUNTED_LATER},
            "template": model.template or PLAIN,
            "bytes_per_face": model.bytes_per_face,
            "comparisons": self.comparisons.total,
            "mated": self.comparisons.mated,
            "nonmated": self.comparisons.nonmated,
            "weights": model.weights_hash,
            "created": self.run.created,
            "signature": self.signature,
        }
        found = named_estimates(self.statistics).items()
        rows = [own | estimate_row(name, one) | settings for name, one in found]
        rows += [own | _group_row(one) | settings for one in group_estimates(self.groups)]
        return frame_of(rows)

    def digest(self) -> str:
        """SHA-256 of all that does not differ between two runs of the same thing.

        It is over the fields as version 1 wrote them: notes beside baselines name records by it.
        """
        if self._digest is None:
            self._digest = self._hashed()
        return self._digest

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's; what is updated has a digest of its own."""
        other = super().model_copy(update=update, deep=deep)
        if update:
            other._digest = None
        return other

    def _hashed(self) -> str:
        values = self.model_dump(mode="json", exclude={"run", SEAL})
        values["schema_version"] = 1
        values["model"] = {k: v for k, v in values["model"].items() if k not in COUNTED_LATER}
        if self.curve is not None:
            values["curve"] = {"far": self.curve.far, "tar": self.curve.tar}
        return hashlib.sha256(_json_bytes(values)).hexdigest()


def _group_row(one: GroupEstimate) -> dict[str, Scalar]:
    return {
        "statistic": one.name,
        "value": one.value,
        **interval_columns(one.interval),
        "reached": one.far,
        "resolvable": one.resolvable,
        "group": one.group,
        "errors": one.errors,
        "number": one.number,
        "expected": one.expected,
        "p_value": one.p_value,
    }


def upgraded(values: dict[str, Any]) -> dict[str, Any]:
    """The JSON values of a record as this version has them, from those of version 1.

    Version 1 has the curve's rates in place of its counts. Other faults are left to those who look
    for them; ValueError: the rates are not of the record's comparisons.
    """
    if values.get("schema_version") != 1:
        return values
    curve, counts = values.get("curve"), values.get("comparisons")
    values = values | {"schema_version": SCHEMA_VERSION}
    match curve, counts:
        case {"far": [*far], "tar": [*tar]}, {"nonmated": int(nonmated), "mated": int(mated)}:
            if all(isinstance(rate, (int, float)) and 0 <= rate <= 1 for rate in far + tar):
                made = CurveSection.of(far, tar, nonmated, mated)
                values["curve"] = made.model_dump(mode="json")
    return values


def _json_bytes(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def record_schema() -> dict[str, Any]:
    """The JSON schema of a record."""
    schema = Record.model_json_schema() | {"description": _SCHEMA}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_json() -> bytes:
    """The JSON schema as the bytes of ``reports/record.schema.json``."""
    return (json.dumps(record_schema(), indent=1, ensure_ascii=False) + "\n").encode()


def signature_of(record: Record) -> str:
    """One line that pins everything the numbers depend on, in a fixed order.

    Words are those of the design's vocabulary; ``|`` separates them and is in none of them.
    """
    model, data, protocol = record.model, record.data, record.protocol
    words = {
        "facebench": record.facebench,
        "protocol": f"{protocol.name}.v{protocol.version}{protocol.edition}",
        "pairs": record.comparisons.fingerprint,
        "data": data.fingerprint,
        "model": model.id,
        "weights": model.weights_hash[:16],
        "input": model.preprocessing,
        **({"variant": model.variant} if model.variant else {}),
        **({"guessed": model.guessed} if model.guessed else {}),
        "flip": model.flip,
        "precision": model.precision,
        **({"template": model.template} if model.template else {}),
        "align": record.alignment,
        "missing": record.failures_to_acquire.policy,
        "pooling": record.pooling,
        "similarity": record.similarity,
        "rule": record.rule,
        **({"groups": ",".join(one.word for one in record.groups)} if record.groups else {}),
        **_deployed_word(record),
        "spread": record.statistics.spread_kind,
        "bootstrap": f"{record.bootstrap.draws} draws, seed {record.bootstrap.seed}",
    }
    return "|".join(f"{word}:{_plain(value)}" for word, value in words.items())


def _deployed_word(record: Record) -> dict[str, str]:
    """The threshold that was set elsewhere, where rates at one were asked for."""
    deployed = getattr(record.statistics, "deployed", None)
    return {} if deployed is None else {"deployed": f"{deployed.threshold:.6g}({deployed.file})"}


def _plain(text: str) -> str:
    """One line without the separator."""
    return " ".join(text.replace("|", "/").split())


SEAL = "seal"


def seal_of(values: Mapping[str, Any]) -> str:
    """SHA-256 of a record's JSON values without its seal, whatever their order and layout."""
    content = {name: value for name, value in values.items() if name != SEAL}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def require_seal(values: Mapping[str, Any], where: str, again: str) -> None:
    """UserError where values are not those that were sealed; a record of before has no seal.

    where: the file; again: what makes the record anew, e.g. ``facebench eval``.
    """
    seal = values.get(SEAL)
    if seal is not None and seal != seal_of(values):
        raise UserError(
            f"{where}: its seal is not that of its contents: the file was changed after it was "
            f"written; make it again with `{again}`"
        )
