"""The file of a threshold: what a service, or a later check, needs to use it, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from facebench.base.errors import UserError
from facebench.base.opening import SETTINGS, read_json
from facebench.base.text import json_text
from facebench.base.validation import PositiveShare, Share, validated
from facebench.records.record import Record, template_kind
from facebench.records.sections import UNKNOWN, UNSEEN, Count, IntervalSection, Section
from facebench.statistics.calibration.likelihood import LARGEST

Half = Literal["people", "folds"] | None
_NAMED = "a threshold's file (facebench threshold MODEL -o FILE makes one)"


class ScoredBy(Section):
    """What makes the scores: a threshold is of these alone. The fields are those of a record.

    dimension: of embeddings, None: not told, as of scores and by files of earlier versions.
    """

    model: str
    weights_hash: str
    preprocessing: str
    variant: str
    flip: str
    similarity: str
    template: str
    alignment: str
    dimension: int | None = None

    @classmethod
    def of(cls, record: Record) -> ScoredBy:
        """Of a record."""
        model = record.model
        return cls(
            model=model.id,
            weights_hash=model.weights_hash,
            preprocessing=model.preprocessing,
            variant=model.variant,
            flip=model.flip,
            similarity=record.similarity,
            template=template_kind(model),
            alignment=record.alignment,
            dimension=model.dimension or None,
        )

    @property
    def given(self) -> bool:
        """Whether embeddings or scores of a file were evaluated, which do not tell their network:
        the hash is the file's, and another one of the same network has another.
        """
        return self.preprocessing in (UNKNOWN, UNSEEN)

    def taken_for(self, other: ScoredBy) -> str:
        """What is to be said where nothing tells that both are one network; else nothing."""
        if self.weights_hash == other.weights_hash or not (self.given or other.given):
            return ""
        return (
            f"{self.model} and {other.model} are taken for one network: scores and embeddings that "
            "were given do not tell theirs"
        )

    def require_same(self, other: ScoredBy) -> None:
        """UserError where others make scores on another scale, as far as it is known; alignment may
        be of other data.
        """
        names: tuple[str, ...] = ("similarity", "template", "dimension")
        if not (self.given or other.given):
            names = ("weights_hash", "preprocessing", "variant", "flip", *names)
        for name in names:
            one, another = getattr(self, name), getattr(other, name)
            if one != another and not (name == "dimension" and None in (one, another)):
                raise UserError(
                    f"the threshold is of {self.model} ({name} {one or '-'}), the record to check "
                    f"of {other.model} ({another or '-'}): scores of another model or way have "
                    "another scale; set a threshold for it"
                )


class PeopleOf(Section):
    """The comparisons that something was set or checked on. comparisons: the list's fingerprint;
    half: of what one half was taken, null where all comparisons were.
    """

    protocol: str
    data: str
    kind: Literal["real", "synthetic"]
    fingerprint: str
    comparisons: str
    mated: Count
    nonmated: Count
    subjects: Count | None
    half: Half


class SetSection(PeopleOf):
    """What the threshold was set on. far: the FMR that was asked for, and reached on these very
    comparisons; resolvable: whether they are enough to tell it from none.
    """

    far: PositiveShare
    reached: Share
    resolvable: bool
    failures: Count


class RatioSection(Section):
    """``llr = slope * score + intercept``, natural logarithm; prior: that a probability takes."""

    slope: Annotated[float, Field(gt=0, le=LARGEST)]
    intercept: Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
    prior: Annotated[float, Field(gt=0, lt=1)]


class ErrorSection(Section):
    """``errors`` of ``number`` comparisons."""

    value: Share
    errors: Count
    number: Count
    interval: IntervalSection


class CheckedSection(PeopleOf):
    """What the threshold gives on other people, as it stands; Cllr in bits."""

    fmr: ErrorSection
    fnmr: ErrorSection
    cllr: float
    cllr_interval: IntervalSection
    min_cllr: float
    failures: Count


class ThresholdFile(Section):
    """A pair is accepted when score >= threshold."""

    format: Literal["facebench threshold"]
    version: Literal[1]
    facebench: str
    threshold: float
    interval: IntervalSection | None
    log_likelihood_ratio: RatioSection
    scores_of: ScoredBy
    set_on: SetSection
    checked_on: CheckedSection | None

    def to_json(self) -> str:
        """The file's text."""
        return json_text(self.model_dump(mode="json"))


def read_threshold(path: Path) -> ThresholdFile:
    """UserError, in one line: absent, no such file, or a field that is wrong or unknown."""
    values = read_json(path, "the threshold", SETTINGS, f"name {_NAMED}")
    if not isinstance(values, dict) or values.get("format") != "facebench threshold":
        raise UserError(f"{path}: is not {_NAMED}")
    return validated(ThresholdFile, values, str(path))
