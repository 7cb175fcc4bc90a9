"""Protocol cards: which comparisons, in which splits, and which statistics; one TOML file each."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
)

from facebench.base.errors import UserError, nearest, readable
from facebench.base.storage import toml_files
from facebench.base.validation import (
    PositiveShare,
    Strict,
    not_a_card,
    read_toml,
    require_own_name,
    validated,
)
from facebench.base.vocabulary import LONGEST_NAME, NAME_PATTERN
from facebench.faces.degrade.names import JOIN, Degradation, parse_degradation

SpreadKind = Literal["standard error", "standard deviation"]
SPREAD_SHORT: MappingProxyType[SpreadKind, str] = MappingProxyType(
    {"standard error": "SE", "standard deviation": "SD"}
)
_PACKAGE = Path(__file__).resolve().parents[1]
Rank = Annotated[int, Field(ge=1)]


def _some(values: tuple[float, ...]) -> tuple[float, ...]:
    """The first of them is a headline, so one there must be."""
    if not values:
        raise ValueError("must hold at least one")
    return values


Shares = Annotated[tuple[PositiveShare, ...], AfterValidator(_some)]
Ranks = Annotated[tuple[Rank, ...], AfterValidator(_some)]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


def _below(path: str) -> str:
    """A path in the folder of a card or of data, which leads out of neither."""
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise ValueError("must be a path below the folder, with forward slashes")
    return path


_COLUMNS = ("image_a", "image_b", "same", "fold", "subject_a", "subject_b", "score", "distance")


def _column(name: str) -> str:
    """A column that facebench knows, or the groups of one side of a pair, e.g. ``age_a``."""
    if name not in _COLUMNS and not re.fullmatch(r"[a-z][a-z0-9_]*_[ab]", name):
        raise ValueError(
            f"must be one of {', '.join(_COLUMNS)}, or end in _a or _b, as columns of groups do"
            f"{nearest(name, _COLUMNS)}"
        )
    return name


ColumnName = Annotated[str, AfterValidator(_column)]
Below = Annotated[str, AfterValidator(_below)]
ProtocolName = Annotated[str, Field(pattern=NAME_PATTERN, max_length=LONGEST_NAME)]


class PublishedValue(Strict):
    """A number that a paper gives for this protocol; shares, not percent."""

    model: str
    accuracy: PositiveShare
    spread: Annotated[float, Field(ge=0)] | None = None
    source: str


class PublishedRate(Strict):
    """A paper's number for the statistic ``rate``: ``DIR@FAR=0.01``, ``rank-1``."""

    model: str
    rate: str
    value: PositiveShare
    spread: Annotated[float, Field(ge=0)] | None = None
    source: str


class ProtocolCard(Strict):
    """What every kind of protocol has; the kinds add their own fields.

    name: also the file's name; version: rises whenever a number could change; source: the paper;
    dataset: what the data are called in records, and the installed folder; any name; get: where
    they are had. runs_in: the module of `facebench.protocols.kinds` that finds a kind's faces
    (``prepare``) and runs it. has_probes: one side of its comparisons can be degraded alone.
    """

    runs_in: ClassVar[str]
    has_probes: ClassVar[bool] = False
    came_later: ClassVar[tuple[str, ...]] = ("get",)  # fields that `edition_of` counts where used
    name: ProtocolName
    kind: str
    version: Annotated[int, Field(ge=1)]
    title: str
    source: str
    dataset: ProtocolName
    notes: str = ""
    get: str = ""
    _folder: Path | None = PrivateAttr(default=None)  # where the card lies
    _plain: ProtocolCard | None = PrivateAttr(default=None)  # before its faces were degraded
    _degradation: Degradation | None = PrivateAttr(default=None)

    @property
    def folder(self) -> Path | None:
        """Where the card lies, of those that were read."""
        return self._folder

    @property
    def plain(self) -> ProtocolCard:
        """The card as it was read, whose faces are as they are."""
        return self._plain or self

    @property
    def degradation(self) -> Degradation | None:
        """What is done to the faces, of ``lfw+14px``; None: nothing."""
        return self._degradation

    def degraded(self, degradation: Degradation) -> Self:
        """The protocol on degraded faces, as ``lfw+14px``: nothing else of it changes, but what was
        published is of other faces. UserError: it has no single side that could be.
        """
        name = f"{self.name}{JOIN}{degradation}"
        if degradation.probe_only and not self.has_probes:
            raise UserError(
                f"protocol {name}: {self.kind} has no side of single faces or videos that could be "
                f"degraded alone; write {JOIN}{degradation.crop_name} for both sides"
            )
        of_others = {"published": ()} if hasattr(self, "published") else {}
        title = f"{self.title}; {degradation.words}"
        card = self.model_copy(update={"name": name, "title": title, **of_others})
        card._plain, card._degradation = self, degradation
        return card

    @property
    def published_comparisons(self) -> int:
        """How many comparisons (searches, for identification) the protocol has; 0: not stated."""
        return getattr(self, "comparisons", None) or 0


class FoldsCard(ProtocolCard):
    """Pairs in folds: accuracy at thresholds learned on the other folds, ROC, TAR at FAR.

    comparisons: how many the published list has, where that is known; pairs: its fingerprint
    (`facebench.protocols.outcome.Comparisons.fingerprint`), where it names its images;
    spread: what the `±` of the protocol's paper is; targets: FARs at which TAR is reported.
    """

    folds: Annotated[int, Field(ge=2)] = 10
    comparisons: Annotated[int, Field(ge=4)] | None = None
    pairs: Fingerprint | None = None
    spread: SpreadKind = "standard error"
    targets: tuple[PositiveShare, ...] = (0.1, 0.01, 0.001)
    published: tuple[PublishedValue, ...] = ()

    @field_validator("targets")
    @classmethod
    def _descending(cls, targets: tuple[float, ...]) -> tuple[float, ...]:
        if not targets or list(targets) != sorted(set(targets), reverse=True):
            raise ValueError("must be one or more different shares, largest first")
        return targets


class VerificationCard(FoldsCard):
    """Pairs of single faces in folds.

    pair_list: the file of the list, beside the card, or else in the folder of the data; images: the
    folder of the images, below that of the data; columns: of a table of pairs, our name → the
    file's; seed: by which a table without folds is cut; groups: columns by which error rates are
    told apart; group_table: the file that has them, of people or images, where the pairs' does not;
    parts: in place of pair_list, label → list, of a set with a list and a folder of images for
    every group; part_column: what these labels are called.
    """

    runs_in = "verification"
    has_probes = True
    came_later = (
        "get", "pair_list", "images", "columns", "seed", "groups", "group_table", "parts",
        "part_column",
    )  # fmt: skip
    kind: Literal["verification"]
    pair_list: Below = ""
    images: Below = ""
    columns: dict[ColumnName, str] = Field(default_factory=dict)
    seed: Annotated[int, Field(ge=0)] = 0
    groups: tuple[str, ...] = ()
    group_table: Below = ""
    parts: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")], Below] = Field(
        default_factory=dict
    )
    part_column: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]*)?$", validate_default=True)] = ""

    @field_validator("part_column")
    @classmethod
    def _of_parts(cls, column: str, info: ValidationInfo) -> str:
        parts = info.data.get("parts")  # absent where they are wrong themselves
        if parts is not None and bool(parts) is not bool(column):
            raise ValueError("goes with parts, the list of each label, and they with it")
        return column


class VideoCard(FoldsCard):
    """Pairs of videos in folds, on pooled frames.

    pooling: a name in `facebench.similarity.pooling.POOLINGS`; frames: which ones, a name of
    `facebench.protocols.kinds.video` (``all``, ``every-5``, ``first-50``).
    """

    runs_in = "video"
    has_probes = True
    kind: Literal["video"]
    pooling: str = "mean-score"
    frames: str = "all"


class IdentificationCard(ProtocolCard):
    """Probes searched in a gallery: DIR at FAR (open set), rank and CMC (closed set).

    subjects: a file beside the card with the names of the mated people; candidates: people of all
    of the data with two images or more, of whom a synthetic twin gives the same share; gallery,
    mated_probes, nonmated_probes, identities: the published counts (images; identities in the
    gallery), which the derivation must meet on all of the data; fars (of an open set), ranks: what
    is reported; the headline is the first FAR, and rank 1 of a closed set, whose ranks begin with
    it; draws, seed: of what is not published.
    """

    runs_in = "identification"
    has_probes = True
    kind: Literal["identification"]
    task: Literal["open", "closed"]
    subjects: str
    candidates: Annotated[int, Field(ge=1)]
    identities: Annotated[int, Field(ge=1)]
    gallery: Annotated[int, Field(ge=1)]
    mated_probes: Annotated[int, Field(ge=1)]
    nonmated_probes: Annotated[int, Field(ge=0)]
    draws: Annotated[int, Field(ge=1)] = 10
    seed: Annotated[int, Field(ge=0)] = 0
    fars: tuple[PositiveShare, ...] = Field(default=(), validate_default=True)
    ranks: tuple[Rank, ...] = (1,)
    published: tuple[PublishedRate, ...] = ()

    @field_validator("fars")
    @classmethod
    def _of_the_open_set(cls, fars: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        task = info.data.get("task")  # absent where it is wrong itself
        if task == "open" and not fars:
            raise ValueError("an open set needs one or more, the headline first")
        if task == "closed" and fars:
            raise ValueError("a closed set has no non-mated probes, so no FAR; leave it out")
        return fars

    @field_validator("ranks")
    @classmethod
    def _headline_first(cls, ranks: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if info.data.get("task") == "closed" and ranks[:1] != (1,):
            raise ValueError("must begin with 1 in a closed set, where models are compared")
        return ranks

    @property
    def published_comparisons(self) -> int:
        """How many probes the protocol has."""
        return self.mated_probes + self.nonmated_probes


class SearchCard(ProtocolCard):
    """Probes searched in a gallery with distractors, as a list says: DIR at FAR, ranks and CMC.

    search_list: a file beside the card, a table of image, subject and set; searches: its
    fingerprint, where it is pinned; fars: empty where all probes are of people in the gallery, else
    the first is the headline, and rank 1 where there is none.
    """

    runs_in = "galleries"
    kind: Literal["search"]
    search_list: Below
    searches: Fingerprint | None = None
    fars: tuple[PositiveShare, ...] = ()
    ranks: Ranks = (1, 5, 10, 50)
    published: tuple[PublishedRate, ...] = ()

    @field_validator("ranks")
    @classmethod
    def _headline(cls, ranks: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if not info.data.get("fars", True) and ranks[:1] != (1,):
            raise ValueError("must begin with 1 where there are no fars: models are compared there")
        return ranks


class AllPairsCard(ProtocolCard):
    """Every pair of faces of a data set: TAR at FAR; comparisons: of the whole set."""

    runs_in = "all_pairs"
    kind: Literal["all-pairs"]
    comparisons: Annotated[int, Field(ge=1)]
    targets: Shares = (0.001, 0.0001, 0.00001)
    published: tuple[PublishedRate, ...] = ()


class TemplateCard(ProtocolCard):
    """Pairs of templates in splits: TAR at FAR per split.

    layout: of the lists, ``ijba`` (ten folders of CSV) or ``ijbc`` (two lists for IJB-B and -C);
    comparisons: of the published lists, over all splits; targets: FARs, the first is the headline.
    """

    runs_in = "templates.verification"
    kind: Literal["template"]
    layout: Literal["ijba", "ijbc"]
    splits: Annotated[int, Field(ge=1)]
    comparisons: Annotated[int, Field(ge=1)] | None = None
    pooling: str = "mean-score"
    targets: Shares
    spread: SpreadKind = "standard deviation"
    published: tuple[PublishedRate, ...] = ()


class TemplateSearchCard(ProtocolCard):
    """Probe templates searched in a gallery of templates, in splits: TPIR at FPIR, and ranks.

    layout: ``ijba``, or ``ijbc`` for the two galleries of IJB-B and -C, which are the splits and
    never merged; splits: as of `TemplateCard`; fpirs: the first is the headline; ranks: after them.
    """

    runs_in = "templates.search"
    kind: Literal["template-search"]
    layout: Literal["ijba", "ijbc"]
    splits: Annotated[int, Field(ge=1)]
    pooling: str = "mean-score"
    fpirs: Shares
    ranks: Ranks = (1, 5)
    spread: SpreadKind = "standard deviation"
    published: tuple[PublishedRate, ...] = ()


# A protocol of one of these kinds is a card, not code.
CARD_CLASSES: MappingProxyType[str, type[ProtocolCard]] = MappingProxyType(
    {
        "verification": VerificationCard,
        "video": VideoCard,
        "identification": IdentificationCard,
        "search": SearchCard,
        "all-pairs": AllPairsCard,
        "template": TemplateCard,
        "template-search": TemplateSearchCard,
    }
)


def read_protocol(path: Path) -> ProtocolCard:
    """The card in a TOML file; UserError names the file, the field and what is allowed there."""
    values = read_toml(path)
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in CARD_CLASSES:
        known = ", ".join(repr(name) for name in CARD_CLASSES)
        hint = nearest(str(kind), CARD_CLASSES)
        raise UserError(f"{path}: field 'kind': must be one of {known}, not {kind!r}{hint}")
    card = validated(CARD_CLASSES[kind], values, str(path))
    require_own_name(card.name, path)
    card._folder = path.parent
    return card


def protocol_paths() -> dict[str, Path]:
    """Cards by name, those of the working directory first: {name: path}, sorted."""
    return toml_files("protocols")


def load_protocol(name: str) -> ProtocolCard:
    """The card of a name (working directory's ``protocols/`` first) or of a path ending in .toml.

    ``lfw+14px``, ``mine.toml+jpeg20.probe``: its faces degraded (`facebench.faces.degrade.names`).
    UserError: no such card (with the nearest name), a wrong card, or no such degradation.
    """
    base, degradation = split_name(name)
    card = _load(base)
    return card if degradation is None else card.degraded(degradation)


def split_name(name: str) -> tuple[str, Degradation | None]:
    """``lfw+14px`` as ``lfw`` and what is done to its faces; None: nothing. UserError: what is no
    degradation.
    """
    path, ending, rest = name.rpartition(f".toml{JOIN}")
    if ending:
        return f"{path}.toml", parse_degradation(rest, f"protocol {name}")
    base, joined, rest = name.partition(JOIN)
    if not joined or name.endswith(".toml"):
        return name, None
    return base, parse_degradation(rest, f"protocol {name}")


def _load(name: str) -> ProtocolCard:
    if name.endswith(".toml"):
        return read_protocol(Path(name))
    paths = protocol_paths()
    if name not in paths:
        hint = not_a_card(name) or nearest(name, paths)
        raise UserError(
            f"no protocol {name!r}{hint} (protocols: {', '.join(paths) or 'none found'})"
        )
    return read_protocol(paths[name])


def edition_of(card: ProtocolCard) -> str:
    """Empty for a card that facebench ships, else ``+`` and 8 hexadecimal digits of its content.

    A user's card may have a shipped one's name and version; records must tell them apart. Fields
    that came later count where they are used, so that records of before keep their edition; how
    faces are degraded is in the name.
    """
    card = card.plain
    shipped = shipped_protocol(card.name)
    if shipped is not None and read_protocol(shipped).model_dump() == card.model_dump():
        return ""
    unused = {name for name in card.came_later if not getattr(card, name)}
    content = card.model_dump_json(exclude=unused).encode()
    return f"+{hashlib.sha256(content).hexdigest()[:8]}"


def shipped_protocol(name: str) -> Path | None:
    """The card of that name that facebench ships, or None."""
    for folder in (_PACKAGE / "workspace" / "protocols", _PACKAGE.parent / "protocols"):
        if (path := folder / f"{name}.toml").is_file():
            return path
    return None


def list_protocols() -> list[ProtocolCard]:
    """The cards of all protocols, by name.

    Returns
    -------
    list of ProtocolCard
        Each with ``name``, which `evaluate` takes, ``kind``, ``title`` and ``source``; those of the
        working directory's folder ``protocols`` are before the shipped ones of the same name.

    Warns
    -----
    UserWarning
        Names a card that is wrong, once, and the field: it is left out.

    Examples
    --------
    >>> import facebench
    >>> [card.kind for card in facebench.list_protocols() if card.name == "lfw"]
    ['verification']
    """
    return readable(read_protocol, protocol_paths().values())
