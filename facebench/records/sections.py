"""The sections of a record; see `facebench.records.record`."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    ConfigDict,
    Field,
    PositiveInt,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from facebench.base.errors import UserError
from facebench.base.validation import Share, Strict
from facebench.faces.types import DataKind
from facebench.models.embedders.base import FlipRule
from facebench.protocols.cards import SpreadKind
from facebench.records.scores import ScoreTable
from facebench.similarity.templates import PLAIN, template_of
from facebench.statistics.intervals.exact import Interval

UNKNOWN = "unknown (embeddings were given)"  # preprocessing and alignment of such a model
UNSEEN = "unknown (scores were given)"  # likewise

Count = Annotated[int, Field(ge=0)]


class Section(Strict):
    model_config = ConfigDict(allow_inf_nan=False)


class IntervalSection(Section):
    """An interval at a level; kind: how it was made, e.g. ``wilson``."""

    low: float
    high: float
    level: Share
    kind: str

    @classmethod
    def of(cls, found: Interval) -> Self:
        """The section of an interval that was computed."""
        return cls(low=found.low, high=found.high, level=found.level, kind=found.kind)

    @classmethod
    def of_any(cls, found: Interval | None) -> Self | None:
        """The same, and nothing where there is none."""
        return None if found is None else cls.of(found)


class Estimate(Section):
    """A headline number and its interval (null where intervals were not asked for)."""

    value: Share
    interval: IntervalSection | None


class AccuracySection(Estimate):
    """Mean accuracy over folds; spread: the number behind ±, of the kind that the protocol uses.

    per_fold, thresholds: by ascending fold label; threshold_unit: what a threshold is measured in;
    over_subjects: in records of earlier versions, whose ``interval`` takes comparisons for
    independent, that over people; absent where ``interval`` is over people itself.
    """

    spread: float
    spread_kind: SpreadKind
    per_fold: tuple[Share, ...]
    thresholds: tuple[float, ...]
    threshold_unit: str
    folds: tuple[int, ...]
    over_subjects: IntervalSection | None = None

    def threshold_of(self, fold: int) -> float:
        """A fold's threshold on the scale of the scores: of squared distances the cosine."""
        value = self.thresholds[self.folds.index(fold)]
        return value if self.threshold_unit == "score" else 1 - value / 2

    @model_validator(mode="after")
    def _of_every_fold(self) -> Self:
        if not 0 < len(self.folds) == len(self.per_fold) == len(self.thresholds):
            raise ValueError("folds, per_fold and thresholds must be of one length, at least 1")
        return self

    @property
    def shown(self) -> IntervalSection | None:
        """The interval of tables and gates: over people wherever they are known."""
        return self.over_subjects or self.interval

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return {k: v for k, v in values.items() if k != "over_subjects" or v is not None}


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

    @property
    def label(self) -> str:
        """``TAR@FAR=0.01``: the name that rules and cards use."""
        return f"TAR@FAR={self.target:g}"


class SeparationSection(Section):
    """Means and standard deviations of the scores of both kinds, and d'."""

    mated_mean: float | None
    mated_std: float | None
    nonmated_mean: float | None
    nonmated_std: float | None
    d_prime: float | None


class DeployedRate(Estimate):
    """``errors`` of ``number`` comparisons; ``value`` of the accuracy is what is left of them."""

    errors: Count
    number: Count


class DeployedSection(Section):
    """Rates at a threshold that was set on other people and is held fixed.

    file: the first digits of the SHA-256 of its file's threshold and what that was set on, protocol
    and far; half: what one half of these comparisons was taken of, since the threshold was set on
    the other, null where all were.
    """

    threshold: float
    file: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    protocol: str
    far: Share
    half: Literal["people", "folds"] | None
    accuracy: DeployedRate
    fmr: DeployedRate
    fnmr: DeployedRate


class VerificationSection(Section):
    """The statistics of the kinds *verification* and *video*: pairs in folds.

    deployed: at a threshold that was named, absent where none was.
    """

    kind: Literal["verification"] = "verification"
    accuracy: AccuracySection
    auc: Estimate
    eer: Estimate
    tar_at_far: tuple[OperatingPointSection, ...]
    separation: SeparationSection
    deployed: DeployedSection | None = None

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return {k: v for k, v in values.items() if k != "deployed" or v is not None}

    @property
    def spread_kind(self) -> SpreadKind:
        """What ± is."""
        return self.accuracy.spread_kind

    @property
    def headline(self) -> Estimate:
        """The number that a record is known by."""
        return self.accuracy


def drawn_text(values: NDArray[np.float64]) -> str:
    """float64[draws] as text: base64 of their bytes, little-endian."""
    return b64encode(np.asarray(values, dtype="<f8").tobytes()).decode()


class RateSection(Estimate):
    """One rate: ``value`` is its mean over the draws or splits.

    name: of the protocol's paper: ``DIR``, ``TAR``, ``TPIR``, ``rank``; target: the FAR, the FPIR
    or the rank; spread: the number behind ± over the parts, null where there is one part;
    per_part, reached, thresholds: of every draw or split, the last two empty for ranks;
    resolvable: false where the non-mated comparisons are too few to tell the target from zero;
    over_people: the same rate with every person counted once; drawn: its values in the draws of the
    bootstrap (`drawn_text`), by which two records are compared; both absent where not told.
    """

    name: str
    target: float
    spread: float | None
    spread_kind: SpreadKind
    per_part: tuple[Share, ...]
    reached: tuple[Share, ...] = ()
    thresholds: tuple[float, ...] = ()
    resolvable: bool = True
    over_people: Share | None = None
    drawn: str | None = None

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        told = ("over_people", "drawn")
        return {k: v for k, v in values.items() if k not in told or v is not None}

    @property
    def draws(self) -> NDArray[np.float64] | None:
        """float64[draws] of ``drawn``; ValueError where it is no such text."""
        if self.drawn is None:
            return None
        return np.frombuffer(b64decode(self.drawn, validate=True), dtype="<f8")

    @property
    def label(self) -> str:
        """``DIR@FAR=0.01``, ``TPIR@FPIR=0.1``, ``rank-1``: the name that rules and cards use."""
        if self.name == "rank":
            return f"rank-{self.target:g}"
        return f"{self.name}@{self.false_rate}={self.target:g}"

    @property
    def false_rate(self) -> str:
        """The error rate that the target is of, in the words of the protocol's paper."""
        return "FPIR" if self.name == "TPIR" else "FAR"


class RecallSection(Section):
    """What an approximate index returned of the gallery faces that are nearest to some probes.

    index: with all that its results depend on; probes: of the sample; depth: faces that it returns
    of each; first, all: share of probes whose nearest face was returned, and of the ``depth``
    nearest faces.
    """

    index: str
    probes: Count
    depth: Count
    first: Share
    all: Share


class RatesSection(Section):
    """The statistics of identification, template and all-pairs protocols; the first rate leads.

    parts: what the rates are means over; counts: of faces, identities, templates; recall: of an
    approximate index, absent where searches are exact.
    """

    kind: Literal["rates"] = "rates"
    parts: Literal["draws", "splits"]
    number_of_parts: Count
    rates: Annotated[tuple[RateSection, ...], Field(min_length=1)]
    counts: dict[str, Count] = {}  # noqa: RUF012 - pydantic copies it
    recall: RecallSection | None = None

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return {k: v for k, v in values.items() if k != "recall" or v is not None}

    @model_validator(mode="after")
    def _of_every_part(self) -> Self:
        number = self.number_of_parts
        for rate in self.rates:
            told = {len(rate.reached), len(rate.thresholds)} - {0}
            if not number or told | {len(rate.per_part)} != {number}:
                raise ValueError(f"{rate.label} must have a value for each of number_of_parts")
        return self

    @property
    def spread_kind(self) -> SpreadKind:
        """What ± is."""
        return self.rates[0].spread_kind

    @property
    def headline(self) -> RateSection:
        """The number that a record is known by."""
        return self.rates[0]


class SeriesSection(Section):
    """A curve: x ascending, and y at each; log: drawn over a logarithmic x."""

    name: str
    x_label: str
    y_label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    log: bool

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError("x and y must be of one length")
        return self


class CurveSection(Section):
    """The ROC, thinned, to be drawn as steps: accepts at thresholds that fall, in whole numbers.

    mated, nonmated: comparisons of either kind, of which true_accepts and false_accepts are.
    """

    mated: PositiveInt
    nonmated: PositiveInt
    true_accepts: tuple[Count, ...]
    false_accepts: tuple[Count, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.true_accepts) != len(self.false_accepts):
            raise ValueError("true_accepts and false_accepts must be of one length")
        most = max(self.true_accepts, default=0), max(self.false_accepts, default=0)
        if most[0] > self.mated or most[1] > self.nonmated:
            raise ValueError("accepts must be no more than there are comparisons")
        return self

    @classmethod
    def of(cls, far: Iterable[float], tar: Iterable[float], nonmated: int, mated: int) -> Self:
        """The section of rates; ValueError where they are not of that many comparisons."""
        x, y = tuple(far), tuple(tar)
        try:
            true = tuple(round(rate * mated) for rate in y)
            false = tuple(round(rate * nonmated) for rate in x)
        except OverflowError as error:  # a count of hundreds of digits
            raise ValueError("rates must be of fewer comparisons") from error
        found = cls(mated=mated, nonmated=nonmated, true_accepts=true, false_accepts=false)
        if (found.far, found.tar) != (x, y):
            raise ValueError(f"rates must be of {nonmated:,} and {mated:,} comparisons")
        return found

    @property
    def far(self) -> tuple[float, ...]:
        """The FARs, ascending."""
        return tuple(count / self.nonmated for count in self.false_accepts)

    @property
    def tar(self) -> tuple[float, ...]:
        """The TAR from each FAR on."""
        return tuple(count / self.mated for count in self.true_accepts)


# Counts that records of before do not have; a record is the same with and without them.
COUNTED_LATER = ("packed_bytes", "packed_int8_bytes", "multiply_adds", "kept_multiply_adds")


class ModelSection(Section):
    """The model; parameters are counts of weights, null where the model does not tell.

    weights_hash: ``unpinned`` where the numbers depend on code that no hash covers. variant: what
    else they depend on, e.g. ``output=b layout=nhwc``, or empty. guessed: what of its input nobody
    said, e.g. ``colour mean scale``, absent where all was said. kept_parameters: of weights with
    two or more axes those that are not zero, and all others. compression_ratio: these / the
    parameters of what it was made of: the dense network of a network of ours, of others the parent
    that was named, or the first model that it was evaluated with. bytes: of its file as it stands;
    packed_bytes, packed_int8_bytes: as ``facebench pack`` writes it in float16 and int8;
    multiply_adds: of one pass of one face, kept_multiply_adds: without those of zeros; absent where
    not counted. metric_values: how many numbers the similarity has learned on top, absent where it
    has learned none (cosine). template: how an embedding is kept, e.g. ``int8``, absent where it is
    as the network gives it.
    """

    id: str
    weights_hash: str
    parameters: Count | None
    kept_parameters: Count | None
    compression_ratio: float | None
    bytes: Count | None
    packed_bytes: Count | None = None
    packed_int8_bytes: Count | None = None
    multiply_adds: Count | None = None
    kept_multiply_adds: Count | None = None
    dimension: Count
    precision: str
    preprocessing: str
    variant: str = ""
    guessed: str = ""
    flip: FlipRule | Literal["unknown"]
    metric_values: Count | None = None
    template: str = ""

    @field_validator("template")
    @classmethod
    def _known(cls, template: str) -> str:
        if template:
            try:
                template_of(template)
            except UserError as error:
                raise ValueError(str(error)) from None
        return template

    @property
    def bytes_per_face(self) -> int | None:
        """What a gallery keeps of each face; None: the number of dimensions is not known."""
        kept = template_of(self.template or PLAIN)
        return kept.bytes_per_face(self.dimension) if self.dimension else None

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Records of similarities that learn nothing are as they were before there was a count."""
        values: dict[str, Any] = handler(self)
        empty = {"metric_values": None, "guessed": "", "template": ""}
        absent = empty | dict.fromkeys(COUNTED_LATER)
        return {k: v for k, v in values.items() if k not in absent or v != absent[k]}


class ProtocolSection(Section):
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


class DataSection(Section):
    """The faces; faces: how many the protocol uses; notice: what every table must say of them."""

    name: str
    kind: DataKind
    fingerprint: str
    faces: Count
    notice: str | None


class ComparisonsSection(Section):
    """fingerprint: of the pairs, their labels and their folds; subjects: null where not known."""

    total: Count
    mated: Count
    nonmated: Count
    folds: Count
    subjects: Count | None
    fingerprint: str


class FailuresSection(Section):
    """Failures to acquire: faces, and comparisons with such a face, which stay in every number."""

    policy: Literal["error", "count"]
    faces: Count
    faces_share: Share
    comparisons: Count
    share: Share


class BootstrapSection(Section):
    """What the bootstrap intervals were drawn with."""

    draws: Count
    seed: Count


class EnvironmentSection(Section):
    """What the arithmetic ran on; batch: faces per pass of the network.

    opencv, onnxruntime: versions, empty where they took no part.
    """

    torch: str
    numpy: str
    opencv: str = ""
    onnxruntime: str = ""
    device: str
    batch: Count


class ScoresSection(Section):
    """Every comparison's score and decision, which lie in a file beside the record.

    sha256: of the table in its plain form (`ScoreTable.to_bytes`), however the file keeps it.
    embedded: the file itself in base64, in records that hold all that belongs to them; else absent.
    """

    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    embedded: str | None = None

    @classmethod
    def of(cls, table: ScoreTable, name: str) -> Self:
        """The section of a table; its SHA-256 and the record's name (`record_name`) are in the
        file's, so that no two records share one.
        """
        return cls(file=f"{name}.scores-{table.sha256[:12]}.safetensors", sha256=table.sha256)

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return {k: v for k, v in values.items() if k != "embedded" or v is not None}


class RunSection(Section):
    """All that differs between two runs of the same thing; no part of `Record.digest`.

    created: when it was first made; again: when last, with the same result, absent where never;
    threads: of the network, 0 where none ran, as all embeddings were stored; searched_by: what made
    the candidates of a search, absent for other protocols.
    """

    created: str
    again: str | None = None
    searched_by: str = ""
    host: str
    threads: Count
    seconds: dict[str, float]

    @property
    def moment(self) -> float:
        """When it was first made, seconds since 1970; UTC where no zone is named. ValueError: it is
        no ISO 8601 moment.
        """
        found = datetime.fromisoformat(self.created)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()

    @property
    def latest(self) -> str:
        """When it was last made."""
        return self.again or self.created

    @model_serializer(mode="wrap")
    def _without_never(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Records that were made once are as they were before there was a second moment."""
        values: dict[str, Any] = handler(self)
        return {k: v for k, v in values.items() if k not in ("again", "searched_by") or v}
