"""The record of one (model, protocol, dataset, similarity): numbers and all they depend on.

All of a record but its section ``run`` follows from the inputs: an undisturbed run, an interrupted
one and a repeated one have the same `Record.digest`.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from facebench.faces.types import DataKind
from facebench.nets.embedder import FlipRule
from facebench.protocols.cards import SpreadKind
from facebench.reporting.scores import ScoreTable
from facebench.reporting.signature import signature_of

SCHEMA_VERSION = 1
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class IntervalSection(_Section):
    """An interval at a level; kind: how it was made, e.g. ``wilson``."""

    low: float
    high: float
    level: Share
    kind: str


class Estimate(_Section):
    """A headline number and its interval (null where intervals were not asked for)."""

    value: Share
    interval: IntervalSection | None


class AccuracySection(Estimate):
    """Mean accuracy over folds; spread: the number behind ±, of the kind that the protocol uses.

    per_fold, thresholds: by ascending fold label; threshold_unit: what a threshold is measured in;
    over_subjects: the bootstrap interval beside the Wilson one of ``interval``.
    """

    spread: float
    spread_kind: SpreadKind
    per_fold: tuple[Share, ...]
    thresholds: tuple[float, ...]
    threshold_unit: str
    folds: tuple[int, ...]
    over_subjects: IntervalSection | None


class OperatingPointSection(Estimate):
    """TAR (``value``) at the largest operating point whose FAR is at most ``target``.

    far: the FAR that it reached; resolvable: false where the non-mated comparisons are too few to
    tell the target from zero.
    """

    target: Share
    far: Share
    threshold: float
    resolvable: bool
    true_accepts: Count
    false_accepts: Count


class SeparationSection(_Section):
    """Means and standard deviations of the scores of both kinds, and d'."""

    mated_mean: float | None
    mated_std: float | None
    nonmated_mean: float | None
    nonmated_std: float | None
    d_prime: float | None


class VerificationSection(_Section):
    """The statistics of the kind *verification*; other kinds have sections of their own."""

    kind: Literal["verification"] = "verification"
    accuracy: AccuracySection
    auc: Estimate
    eer: Estimate
    tar_at_far: tuple[OperatingPointSection, ...]
    separation: SeparationSection


class CurveSection(_Section):
    """The ROC, thinned, to be drawn as steps: FARs ascending, and the TAR from each on."""

    far: tuple[Share, ...]
    tar: tuple[Share, ...]


class ModelSection(_Section):
    """The model; parameters are counts of weights, null where the model does not tell.

    weights_hash: ``unpinned`` where the numbers depend on code that no hash covers. variant: what
    else they depend on, e.g. ``output=b layout=nhwc``, or empty. compression_ratio: kept parameters
    / those of the baseline, as in the paper; bytes: of its file.
    """

    id: str
    weights_hash: str
    parameters: Count | None
    kept_parameters: Count | None
    compression_ratio: float | None
    bytes: Count | None
    dimension: Count
    precision: str
    preprocessing: str
    variant: str = ""
    flip: FlipRule | Literal["unknown"]


class ProtocolSection(_Section):
    """The protocol's card, and how many comparisons its published list has.

    edition: empty for the card that facebench ships, else ``+`` and a hash of the card that was
    used in its place. published_list: whether the comparisons are those of the published list;
    null where the card has no fingerprint of it.
    """

    name: str
    kind: str
    version: int
    edition: Annotated[str, Field(pattern=r"^(\+[0-9a-f]{8})?$")] = ""
    title: str
    source: str
    published_comparisons: Count
    published_list: bool | None = None


class DataSection(_Section):
    """The faces; faces: how many the protocol uses; notice: what every table must say of them."""

    name: str
    kind: DataKind
    fingerprint: str
    faces: Count
    notice: str | None


class ComparisonsSection(_Section):
    """fingerprint: of the pairs, their labels and their folds; subjects: null where not known."""

    total: Count
    mated: Count
    nonmated: Count
    folds: Count
    subjects: Count | None
    fingerprint: str


class FailuresSection(_Section):
    """Failures to acquire: faces, and comparisons with such a face, which stay in every number."""

    policy: Literal["error", "count"]
    faces: Count
    faces_share: Share
    comparisons: Count
    share: Share


class BootstrapSection(_Section):
    """What the bootstrap intervals were drawn with."""

    draws: Count
    seed: Count


class EnvironmentSection(_Section):
    """What the arithmetic ran on; batch: faces per pass of the network.

    opencv, onnxruntime: versions, empty where they took no part.
    """

    torch: str
    numpy: str
    opencv: str = ""
    onnxruntime: str = ""
    device: str
    batch: Count


class ScoresSection(_Section):
    """The file beside the record with every comparison's score and decision."""

    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @classmethod
    def of(cls, table: ScoreTable, name: str) -> Self:
        """The section of a table; its SHA-256 and the record's name (`record_name`) are in the
        file's, so that no two records share one.
        """
        sha256 = hashlib.sha256(table.to_bytes()).hexdigest()
        return cls(file=f"{name}.scores-{sha256[:12]}.safetensors", sha256=sha256)


class RunSection(_Section):
    """All that differs between two runs of the same thing; no part of `Record.digest`."""

    created: str
    host: str
    threads: Count
    seconds: dict[str, float]


class Record(_Section):
    """One evaluation; see the module's description. ``signature`` pins every input in one line."""

    schema_version: Literal[1] = 1
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
    statistics: VerificationSection
    curve: CurveSection
    bootstrap: BootstrapSection
    environment: EnvironmentSection
    scores: ScoresSection | None
    run: RunSection

    _table: ScoreTable | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.signature != signature_of(self):
            raise ValueError("signature does not follow from the record's other fields")
        if self.data.kind == "synthetic" and not self.data.notice:
            raise ValueError("a record of synthetic data needs its notice")
        return self

    @property
    def table(self) -> ScoreTable | None:
        """Scores and decisions of every comparison, where they are in memory or beside the file."""
        return self._table

    def with_table(self, table: ScoreTable) -> Record:
        """The same record, holding the scores that it was computed from."""
        other = self.model_copy()
        other._table = table
        return other

    def __eq__(self, other: object) -> bool:
        """Whether both say the same of the same inputs, whenever and wherever they were made."""
        return isinstance(other, Record) and self.digest() == other.digest()

    def __hash__(self) -> int:
        return hash(self.digest())

    def canonical_json(self, *, run: bool = True) -> bytes:
        """The record as UTF-8 JSON, fields in declared order; the same record, the same bytes.

        run: with the section that differs between runs.
        """
        values = self.model_dump(mode="json", exclude=None if run else {"run"})
        return (json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()

    def digest(self) -> str:
        """SHA-256 of all that does not differ between two runs of the same thing."""
        return hashlib.sha256(self.canonical_json(run=False)).hexdigest()


def record_schema() -> dict[str, Any]:
    """The JSON schema of a record."""
    schema = Record.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_json() -> bytes:
    """The JSON schema as the bytes of ``reports/record.schema.json``."""
    return (json.dumps(record_schema(), indent=1, ensure_ascii=False) + "\n").encode()
