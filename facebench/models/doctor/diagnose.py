"""The doctor: what is wrong with a network's input or output, and the card that is right."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.faces.locate import LocatedData, locate
from facebench.models.cards.names import card_for
from facebench.models.doctor.crops import FaceCrops, pairs_of
from facebench.models.doctor.findings import Mistake, cause_of
from facebench.models.doctor.passes import Passes, Score, separation
from facebench.models.doctor.presets import UNVERIFIED, preset, presets
from facebench.models.doctor.probes import Probed, probe
from facebench.models.doctor.search import RUNGS, Search
from facebench.models.doctor.trial import (
    SIZES,
    Choices,
    Trial,
    alike_pixels,
    crops_for,
    is_raw,
    normalisations,
)
from facebench.models.embedders.base import Embedder
from facebench.models.embedders.onnx import OnnxEmbedder
from facebench.models.embedders.options import ModelOptions, Triple
from facebench.models.embedders.torch import TorchEmbedder
from facebench.models.zoo import load_model
from facebench.statistics.folds import ten_fold_accuracy
from facebench.statistics.paired import Difference
from facebench.statistics.roc import auc

if TYPE_CHECKING:
    from facebench.models.zoo import AnyModel

_SIDE = 16  # pixels of the grey thumbnails that any trained network beats


@dataclass(frozen=True)
class ShownTrial:
    """A trial on the last round's pairs. difference: of d′ to the given trial, None: it is that;
    told: whether chance explains that badly. accuracy: over folds, None: they carry none.
    """

    trial: Trial
    separation: float
    auc: float
    accuracy: float | None
    difference: Difference | None = None
    told: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    mistakes: empty: nothing is wrong; cannot_tell: why no search helps, or empty; shown: the given
    trial, the best where it is another, and what scored highest, told apart or not; looked: trials
    that were looked at; pairs: by which the last were judged; cut: what the budget left out, in
    words, or empty; facts: what is no mistake; guessed: what nobody said of the input.
    """

    model: str
    given: Trial
    best: Trial
    mistakes: tuple[Mistake, ...]
    cannot_tell: str
    shown: tuple[ShownTrial, ...]
    looked: int
    pairs: int
    people: bool
    cut: str
    facts: tuple[str, ...]
    guessed: tuple[str, ...]


def diagnose(
    model: AnyModel,
    data: str | Path,
    score: Score,
    *,
    options: ModelOptions | None = None,
    family: str | None = None,
    align: str = "auto",
    pairs: str | Path | None = None,
    landmarks: str | Path | None = None,
    detector: str | Path | None = None,
    budget: float = 480.0,
    step: Callable[[], None] = lambda: None,
) -> Diagnosis:
    """Look for what is wrong with a network's input or output, by faces with a list of pairs.

    model, options: as of `load_model`; family: the preset that says what the options do not; data,
    pairs, landmarks, detector, align: as of `evaluate` on lfw, data also the list itself; score:
    the similarity, such as ``Cosine().pairs``; budget: seconds, by the clock on the wall; step:
    called after each step of the search. UserError: as those raise.
    """
    deadline = perf_counter() + budget
    chosen = options or ModelOptions()
    if family is not None:
        chosen = preset(family).under(chosen)
    embedder = load_model(model, chosen if family else options)
    located = _located(data, pairs)
    listed = pairs_of(located, RUNGS[-1])
    crops = FaceCrops(located, listed.keys, {"landmarks": landmarks, "yunet": detector})
    rule = crops.rules[0] if align == "auto" else align
    if rule not in crops.rules:
        raise UserError(f"--align {align}: these data can be aligned by {', '.join(crops.rules)}")
    given = Trial(embedder.preprocessing, rule)
    passes = Passes(_loader(model, embedder, chosen), crops, listed, score)
    faces, there = crops.of(given, passes.pairs.faces_of(RUNGS[0]))
    seen = probe(embedder, faces[there])
    said = _Said(embedder, given, seen, family)
    if seen.useless or any("training mode" in one.cause for one in seen.mistakes):
        return said.diagnosis(given, why=_UNSTABLE if not seen.useless else "")
    misread = _misread(passes, given)
    search = Search(passes, _choices(passes, embedder, given), given, deadline, step)
    best = search.run(_of_families(passes, embedder, given))
    base = _shown(search, given)
    others = [one for one in dict.fromkeys((best, search.leader)) if one != given]
    shown = [base, *(_shown(search, one, given) for one in others)]
    why = _cannot_tell(search, best)
    mistakes = [*seen.mistakes, *misread, *_second(seen, given)]
    if not why:
        mistakes += _by_search(search, given, best, seen)
    return said.diagnosis(best, mistakes, why, tuple(shown), search)


_UNSTABLE = "what it gives for a face is not the same every time: mend that first"


@dataclass(frozen=True)
class _Said:
    embedder: Embedder
    given: Trial
    seen: Probed
    family: str | None

    def diagnosis(
        self,
        best: Trial,
        mistakes: list[Mistake] | None = None,
        why: str = "",
        shown: tuple[ShownTrial, ...] = (),
        search: Search | None = None,
    ) -> Diagnosis:
        found = list(self.seen.mistakes) if mistakes is None else mistakes
        return Diagnosis(
            self.embedder.id,
            self.given,
            best,
            tuple({one.cause: one for one in reversed(found)}.values())[::-1],
            why,
            shown,
            len(search.looked) if search else 0,
            search.pairs if search else 0,
            search is not None and search.passes.pairs.people is not None,
            _cut(search) if search else "",
            (*self._of_families(best), *self.seen.facts),
            (*self.embedder.remarks, *_guessed_output(self.embedder)),
        )

    def _of_families(self, best: Trial) -> list[str]:
        """Where the given preparation is from, and which families the best is of."""
        facts = []
        if self.family is not None:
            known = preset(self.family)
            facts.append(f"preset {self.family}, {UNVERIFIED}: {known.source}")
        alike = [
            name for name, one in presets().items() if one.scale and _alike(one.of(best), best)
        ]
        if best != self.given and alike:
            facts.append(f"the best is prepared as of the presets {', '.join(alike)}")
        return facts


def _alike(one: Trial, other: Trial) -> bool:
    pixels = (trial.value("normalisation") for trial in (one, other))
    return one.differs(other) in ([], ["normalisation"]) and alike_pixels(*pixels)


def _cut(search: Search) -> str:
    """What the budget left out: ``12 of 30 preparations were tried, on 60 of 600 pairs``."""
    if not search.cut:
        return ""
    whole = search.rungs[-1]
    pairs = f"on {search.pairs} of {whole} pairs" if search.pairs < whole else f"on {whole} pairs"
    return f"{search.tried} of {search.planned} preparations were tried, {pairs}"


def _located(data: str | Path, pairs: str | Path | None) -> LocatedData:
    """The faces of a folder, or beside a list that is named in its place."""
    named = Path(data)
    if pairs is None and named.suffix in (".txt", ".csv") and named.is_file():
        return locate("lfw", named.parent, pairs=named)
    return locate("lfw", data, pairs=pairs)


def _loader(
    model: AnyModel, embedder: Embedder, options: ModelOptions
) -> Callable[[Trial], Embedder | None]:
    """Makes the network of a trial; one with another output or layout is loaded anew."""
    loaded: dict[tuple[str | None, str | None], Embedder | None] = {(None, None): embedder}

    def load(trial: Trial) -> Embedder | None:
        key = trial.layout, trial.output
        if isinstance(embedder, TorchEmbedder) and trial.output is not None:
            loaded[key] = embedder.giving(trial.output)
        if key not in loaded:
            try:
                said = replace(options, layout=trial.layout, output=trial.output)
                loaded[key] = load_model(model, said)
            except UserError:
                loaded[key] = None
        base = loaded[key]
        if base is None or base.preprocessing == trial.prepared:
            return base
        flipped = replace(trial.prepared, flip=base.preprocessing.flip)
        return base if flipped == base.preprocessing else base.prepared_as(trial.prepared)

    return load


def _choices(passes: Passes, embedder: Embedder, given: Trial) -> Choices:
    """What can be tried of a network: of one that prepares faces itself, little."""
    values: dict[str, tuple[object, ...]] = {
        "alignment": passes.crops.rules,
    }
    if given.alignment != "none":
        values["crop"] = crops_for(given.prepared.size)
    if embedder.prepared_as(given.prepared) is None:
        return Choices(values)
    values["colour"] = ("rgb", "bgr")
    if not getattr(embedder, "pixels", False):
        values["normalisation"] = _unlike(given.value("normalisation"), *normalisations())
    sizes = [given.changed("size", size) for size in SIZES if size != given.prepared.size]
    values["size"] = tuple(one.prepared.size for one in sizes if passes.can(one))
    if isinstance(embedder, OnnxEmbedder) and not embedder.file.says_layout:
        values["layout"] = tuple(one for one in ("nchw", "nhwc") if one != embedder.file.layout)
    names, own = _outputs(embedder)
    values["output"] = tuple(name for name in names if name != own)
    return Choices(values)


def _outputs(embedder: Embedder) -> tuple[tuple[str, ...], str]:
    """The names of a network's outputs, as far as it says them, and that of the given one."""
    if isinstance(embedder, OnnxEmbedder):
        return tuple(embedder.file.names), embedder.file.output
    if isinstance(embedder, TorchEmbedder) and embedder.outputs:
        return embedder.outputs, embedder.output or embedder.outputs[0]
    return (), ""


def _guessed_output(embedder: Embedder) -> tuple[str, ...]:
    """Of a torch network that nobody asked for one of its outputs; ONNX files say it themselves."""
    if not isinstance(embedder, TorchEmbedder) or embedder.output or len(embedder.outputs) < 2:
        return ()
    first, listed = embedder.outputs[0], ", ".join(embedder.outputs)
    return (
        f"model {embedder.id}: the first of its outputs, {first!r}, is guessed to be the "
        f"embedding; --output-name names another ({listed})",
    )


def _unlike(*values: tuple[Triple, Triple]) -> tuple[tuple[Triple, Triple], ...]:
    """The normalisations without those that are like one before them."""
    found: list[tuple[Triple, Triple]] = []
    for value in values:
        if not any(alike_pixels(value, one) for one in found):
            found.append(value)
    return tuple(found)


def _of_families(passes: Passes, embedder: Embedder, given: Trial) -> list[Trial]:
    """The given trial as every family would have it, where the network takes that."""
    if embedder.prepared_as(given.prepared) is None or getattr(embedder, "pixels", False):
        return []
    return [one for one in (known.of(given) for known in presets().values()) if passes.can(one)]


def _misread(passes: Passes, given: Trial) -> list[Mistake]:
    """Whether the similarity needs embeddings of unit length, and whether it is a distance; the
    search goes on with either mended.
    """
    pairs, found = min(RUNGS[0], len(passes.pairs)), []
    nothing = np.zeros(pairs)
    raw = passes.scores(given, pairs)
    passes.normalised = True
    scaled = passes.scores(given, pairs)
    worth = passes.difference(raw, scaled)
    passes.normalised = not np.allclose(raw, scaled, rtol=1e-3, atol=1e-4) and _sure(worth, 1)
    if passes.normalised:
        found.append(
            Mistake(
                "outputs not normalised",
                f"with embeddings of unit length d′ is higher by {worth.estimate:.2f}",
                "divide embeddings by their length, or compare by cosine",
            )
        )
    apart = passes.difference(nothing, passes.scores(given, pairs))
    if _sure(apart, -1):
        passes.sign = -1.0
        found.append(
            Mistake(
                "distances for similarities",
                f"mated pairs score lower than non-mated ones (d′ {apart.estimate:.2f})",
                "negate the scores, or check whether the labels of the list are inverted",
            )
        )
    return found


def _sure(found: Difference, sign: int) -> bool:
    return sign * found.estimate > 0 and found.p_value < 0.01


def _shown(search: Search, trial: Trial, given: Trial | None = None) -> ShownTrial:
    passes, pairs = search.passes, search.pairs
    scores, mated = passes.scores(trial, pairs), passes.pairs.mated[:pairs]
    accuracy = None
    with suppress(ValueError):  # so few pairs that no threshold can be learned for a fold
        accuracy = ten_fold_accuracy(scores, mated, passes.pairs.folds[:pairs]).accuracy
    area = float(auc(scores, mated))
    value = separation(scores, mated)[0]
    if given is None:
        return ShownTrial(trial, value, area, accuracy)
    found = search.compare(given, trial)
    return ShownTrial(trial, value, area, accuracy, found, search.told_apart(found))


def _cannot_tell(search: Search, best: Trial) -> str:
    """Why nothing can be told: the best is no better than the pixels of the same faces."""
    passes, pairs = search.passes, search.pairs
    faces = passes.crops.of(best, passes.pairs.faces_of(pairs))[0]
    grey = passes.scored(_thumbnails(faces), pairs)
    found = passes.difference(grey, passes.scores(best, pairs))
    if found.estimate > 0 and found.p_value < 0.05:
        return ""
    return (
        "no preparation makes it better than comparing grey thumbnails of the faces: its weights "
        "are random, or were not loaded, or something is wrong that is not tried here"
    )


def _thumbnails(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey pixels about their mean: uint8 N×h×w×3 → float32 N×256."""
    import cv2

    small = [cv2.resize(face, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for face in faces]
    grey = np.stack(small).mean(axis=3).reshape(len(faces), -1)
    return np.asarray(grey - grey.mean(1, keepdims=True), dtype=np.float32)


def _second(seen: Probed, given: Trial) -> list[Mistake]:
    """A normalisation that the graph is seen to do itself, where one is done before it."""
    own, prepared = seen.own, given.prepared
    if own is None:
        return []
    once = prepared.mean == (0.0,) * 3 and set(prepared.scale) == {float(own.unit)}
    if once:
        return []
    if own.unit == 255 and is_raw(given.value("normalisation")):
        return [
            Mistake(
                "pixels of 0..255 where 0..1 was meant",
                f"its graph normalises pixels of 0 to 1 ({own.words}), and none is divided by 255",
                "give mean 0 and scale 255",
            )
        ]
    return [
        Mistake(
            "normalised twice",
            f"its graph normalises pixels itself ({own.words}), and "
            f"{given.words('normalisation')} is applied before it",
            f"give mean 0 and scale {own.unit}",
        )
    ]


def _by_search(search: Search, given: Trial, best: Trial, seen: Probed) -> list[Mistake]:
    """What the changes of the best trial mend, each by what it is worth alone."""
    found = []
    for axis in best.differs(given):
        cause = cause_of(axis, given, best, seen.own is not None)
        if cause is None:
            continue
        worth = search.compare(best.changed(axis, given.value(axis)), best)
        low, high = worth.interval.low, worth.interval.high
        text = (
            f"with {best.words(axis)} in place of {given.words(axis)} d′ is higher by "
            f"{worth.estimate:.2f} [{low:.2f}, {high:.2f}]"
        )
        found.append(Mistake(cause[0], text, cause[1]))
    return found


def card_of(model: str, found: Diagnosis) -> str:
    """The card with the best preparation, as TOML; UserError: no card describes the model."""
    from facebench.models.cards.card import PreprocessingFields, is_name
    from facebench.models.cards.publish import card_text

    card, prepared = card_for(model), found.best.prepared
    name = card.name if is_name(card.name) else card.name.rpartition(":")[2]
    fields = PreprocessingFields.of(prepared)
    update = {
        "name": name,
        "preprocessing": fields,
        "layout": found.best.layout or card.layout,
        "output": found.best.output or card.output,
    }
    return card_text(card.model_copy(update=update))
