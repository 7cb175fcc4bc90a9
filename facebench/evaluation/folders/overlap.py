"""``facebench data overlap TRAIN TEST``: people of a test who are in what one learned of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.comparison.shared import SharedPeople, SharedPerson, plain_name
from facebench.embedding.precomputed import select
from facebench.embedding.types import Embeddings
from facebench.evaluation.candidate import Candidate, candidate_of
from facebench.evaluation.folders.embedded import UnitFaces, unit_faces
from facebench.faces.align.aligners import TemplateCrop
from facebench.faces.locate import locate_images, own_name
from facebench.faces.people import CROPS, people_in
from facebench.faces.types import Aligner, FaceSource, Image
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.cards import load_protocol
from facebench.protocols.kinds.verification import PreparedVerification
from facebench.protocols.prepared import chosen_aligner
from facebench.protocols.run import prepare_run
from facebench.protocols.settings import DEFAULTS, Settings
from facebench.similarity import Cosine
from facebench.statistics.people.overlap import (
    Resemblance,
    WithoutPeople,
    accuracy_without,
    likeness_of_halves,
    nearest_people,
    unit_means,
)

if TYPE_CHECKING:
    from facebench.models.zoo import AnyModel


def find_overlap(
    train: str | Path,
    test: str | Path,
    model: AnyModel,
    *,
    protocol: str | None = None,
    by_chance: float = 1.0,
    limit: float | None = None,
    options: ModelOptions | None = None,
    settings: Settings = DEFAULTS,
) -> SharedPeople:
    """People of a test's folder who are in another: by their names, and by mean embeddings of a
    model whose cosine reaches a limit.

    train: a folder per person, of photographs of any size or aligned crops, or index.csv and zip
    files. by_chance: people of the test who may be found in error; the limit follows from how alike
    different people of the test are, unless it is given. protocol: of pairs of the test's faces,
    whose accuracy is also computed without those who are shared. UserError: no such folder, faces
    that cannot be found in them, a protocol of another kind.
    """
    for folder in (train, test):
        if not Path(folder).is_dir():
            raise UserError(f"there is no folder {folder}; name a folder of faces of people")
    if not by_chance > 0:
        raise UserError(f"--by-chance {by_chance:g}: allow some, e.g. 1")
    candidate = candidate_of(model, options)
    assert candidate.embedder is not None
    counted = replace(settings, on_missing="count")
    prepared = None if protocol is None else _prepared(protocol, test, settings)
    known, theirs = _Set.of_test(Path(test), counted), _Set.of_train(Path(train), counted)
    found, other = known.embedded(candidate, counted), theirs.embedded(candidate, counted)
    rng = np.random.default_rng(settings.seed)
    mine, means = _means(found), _means(other)
    like = Resemblance.within(mine, len(mine) * len(means))
    limit = like.limit_for(by_chance) if limit is None else limit
    halves = likeness_of_halves(found.vectors, found.people, rng)
    shared = _shared(found, other, mine, means, limit, known.names)
    result = SharedPeople(
        theirs.name,
        known.name,
        (len(set(theirs.owners)), len(known.names)),
        tuple(shared),
        candidate.facts.id,
        limit,
        like.expected(limit),
        float(np.mean(halves >= limit)) if len(halves) else float("nan"),
        len(halves),
        protocol or "",
        remarks=tuple(dict.fromkeys((*known.aligner.remarks, *theirs.aligner.remarks))),
    )
    if prepared is None:
        return result
    numbers, why = _without(found, prepared, {one.person for one in shared}, counted)
    return replace(result, numbers=numbers, why=why)


class CropsOr(Aligner):
    """Aligned crops, by their size (112×96, 112×112, 128×112), as they are; others by a rule."""

    def __init__(self, other: Aligner) -> None:
        self.other, self.crops = other, TemplateCrop()
        self.signature = f"{self.crops.signature} of crops, else {other.signature}"
        self.remarks = other.remarks

    def __call__(self, key: str, image: Image, size: tuple[int, int]) -> Image | None:
        """See `Aligner`."""
        rule = self.crops if image.shape[:2] in CROPS else self.other
        return rule(key, image, size)


@dataclass(frozen=True, eq=False)
class _Set:
    """Faces of people: where they are, how they are cut, and who is in each."""

    name: str
    source: FaceSource
    aligner: Aligner
    keys: tuple[str, ...]
    owners: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        return sorted(set(self.owners))

    @classmethod
    def of_test(cls, folder: Path, settings: Settings) -> _Set:
        located = locate_images(own_name(folder, folder.resolve().name), folder)
        keys = tuple(located.keys())
        owners = tuple(key.split("/")[0] for key in keys)
        return cls(
            located.source.name, located.source, chosen_aligner(located, settings), keys, owners
        )

    @classmethod
    def of_train(cls, folder: Path, settings: Settings) -> _Set:
        """Landmarks that were named, and what is said of crops, are the test's alone."""
        if (folder / "index.csv").is_file():
            found = people_in(folder)
            return cls(
                found.source.name,
                found.source,
                CropsOr(found.aligner),
                found.keys,
                found.identities,
            )
        own = replace(settings, landmarks=None, landmarks_order="xyxy")
        if settings.align not in ("auto", "yunet", "centre"):
            own = replace(own, align="auto")
        one = cls.of_test(folder, own)
        return replace(one, aligner=CropsOr(one.aligner))

    def embedded(self, candidate: Candidate, settings: Settings) -> UnitFaces:
        assert candidate.embedder is not None
        return unit_faces(
            candidate.embedder, self.source, self.aligner, self.keys, settings, owners=self.owners
        )


def _means(faces: UnitFaces) -> NDArray[np.float32]:
    return unit_means(faces.vectors, faces.people, len(faces.names))


def _shared(
    found: UnitFaces,
    other: UnitFaces,
    mine: NDArray[np.float32],
    means: NDArray[np.float32],
    limit: float,
    everybody: Sequence[str],
) -> list[SharedPerson]:
    """By person of the test; whom no face of was acquired may be there by name."""
    nearest, like = nearest_people(mine, means)
    place = {name: row for row, name in enumerate(found.names)}
    called = {plain: name for name in other.names if (plain := plain_name(name))}
    theirs = {name: row for row, name in enumerate(other.names)}
    shared = []
    for person in everybody:
        row = place.get(person)
        same = called.get(plain_name(person)) if plain_name(person) else None
        near = row is not None and like[row] >= limit
        if same is None and not near:
            continue
        if same is None and row is not None:
            same = other.names[nearest[row]]
        assert same is not None
        score = None if row is None else float(mine[row] @ means[theirs[same]])
        by_face = score is not None and score >= limit
        by_name = called.get(plain_name(person)) == same
        shared.append(SharedPerson(person, same, by_name, by_face, score))
    return shared


def _prepared(protocol: str, test: str | Path, settings: Settings) -> PreparedVerification:
    card = load_protocol(protocol)
    if card.kind != "verification":
        raise UserError(
            f"protocol {card.name} ({card.kind}): the number without some people is computed of "
            "pairs of faces (kind verification); leave --protocol out for the list of people"
        )
    prepared = prepare_run(card, test, settings, images=False)
    assert isinstance(prepared, PreparedVerification)
    return prepared


def _without(
    faces: UnitFaces, prepared: PreparedVerification, people: set[str], settings: Settings
) -> tuple[WithoutPeople | None, str]:
    """The accuracies, or why there are none."""
    compared = prepared.comparisons
    if compared.subjects is None:
        return None, "the list does not say who is in its images"
    inside = np.array([key.split("/")[0] in people for key in compared.keys])
    dropped = inside[compared.left] | inside[compared.right]
    if dropped.all():
        return None, f"all {len(dropped):,} comparisons are of people who are shared"
    every = Embeddings(faces.keys, faces.vectors, np.ones(len(faces.keys), dtype=np.bool_))
    own = select(every, compared.keys, "count")
    scores = prepared.run([own], Cosine(), replace(settings, draws=0)).scores
    try:
        found = accuracy_without(
            scores,
            compared.mated,
            compared.folds,
            compared.subjects[compared.left],
            compared.subjects[compared.right],
            scores > -np.inf,
            dropped,
            np.random.default_rng(settings.seed),
            rule=settings.rule,
        )
    except ValueError as error:
        left = int(np.count_nonzero(~dropped))
        return None, f"of {len(dropped):,} comparisons {left:,} are left ({error})"
    return found, ""
