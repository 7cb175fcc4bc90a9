"""The main job: models on protocols, and a record of each."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from time import perf_counter
from types import NoneType
from typing import TYPE_CHECKING, Any

from facebench.base.errors import Notice, UserError
from facebench.base.options import (
    check_keywords,
    check_name,
    listed,
    require,
    require_function,
    with_fields,
)
from facebench.base.progress import counting_bar
from facebench.base.threads import torch_threads
from facebench.comparison.calibration.deployed import DeployedScores, DeployedThreshold
from facebench.comparison.calibration.written import ScoredBy
from facebench.evaluation.build import Facts, build_record
from facebench.evaluation.candidate import (
    Candidate,
    candidate_of,
    candidate_of_embeddings,
    candidate_of_scores,
    with_ratios,
)
from facebench.evaluation.faces import CandidateFaces, require_degradable
from facebench.evaluation.machine.environment import environment_section, run_section
from facebench.evaluation.machine.runtime import in_runtime
from facebench.evaluation.others import shared_people
from facebench.evaluation.templates import FitFaces, FittedTemplate, fitted
from facebench.models.cards.names import is_bare, names_apart
from facebench.models.cards.sweep import NamedModel, Weights, swept
from facebench.models.embedders.base import Embedder
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.beside import chosen_list
from facebench.protocols.cards import ProtocolCard, edition_of, load_protocol
from facebench.protocols.outcome import Comparisons, FoldOutcome, Outcome
from facebench.protocols.prepared import PreparedProtocol, require_pairs_of_images
from facebench.protocols.run import prepare_run
from facebench.protocols.settings import DEFAULTS, Settings
from facebench.records.frames import Results
from facebench.records.record import Record
from facebench.records.sections import UNKNOWN, UNSEEN, DataSection, DeployedSection
from facebench.similarity import Similarity
from facebench.similarity.templates import PLAIN

_CALLER = 5  # frames up to who called `evaluate`
if TYPE_CHECKING:
    from facebench.models.zoo import AnyModel

    Models = AnyModel | Sequence[AnyModel] | Mapping[str, AnyModel]

_RENDERING = "rendering synthetic faces"


@with_fields(Settings)
def evaluate(
    model: AnyModel,
    protocol: str,
    data: str | Path | None = None,
    *,
    name: str | None = None,
    weights: str | PathLike[str] | None = None,
    parent: AnyModel | None = None,
    options: ModelOptions | None = None,
    **settings: Any,
) -> Record:
    """The record of one model on one protocol.

    A script calls this below ``if __name__ == "__main__":``, since the processes that read faces
    import the script.

    Parameters
    ----------
    model : str, path, torch.nn.Module, callable or Embedder
        What `load_model` takes: a name of the zoo, a card, a model file, a torch module (float32
        N×3×H×W → N×D), or a function from uint8 faces N×H×W×3 RGB to embeddings N×D.
    protocol : str
        A protocol's name (`list_protocols`), or the file of its card.
    data : str or path, optional
        A folder of faces, a ``.bin`` file, or ``synthetic``; by default what is installed, and for
        LFW otherwise its rendered twin.
    name : str, optional
        What the record calls the model, in place of its own name.
    weights : str or path, optional
        A file of weights for a torch module or ``package.module:factory``, as of `load_model`.
    parent : as model, optional
        What a model that is not of the zoo was made of: the record's ratio is of its kept
        parameters to all of the parent's. By default its card's parent, or it is its own.
    options : ModelOptions, optional
        Override the model's card; the ``size`` of modules and functions is said here.
    **settings
        The fields of `Settings`, such as ``similarity``, ``batch`` and ``progress``.

    Returns
    -------
    Record
        With its scores (`Record.table`); `save_record` writes both.

    Raises
    ------
    UserError
        One line for whatever is wrong with the inputs.
    TypeError
        A keyword that there is not, with the nearest one.

    Warns
    -----
    UserWarning
        That faces are rendered and not photographs, and whatever else the record notes.

    Examples
    --------
    >>> import facebench
    >>> record = facebench.evaluate("sparse_074", "lfw", data, align="centre", progress=False)
    >>> record.model.id, record.protocol.name
    ('sparse_074', 'lfw')
    >>> 0 <= record.statistics.accuracy.interval.low <= record.statistics.accuracy.value <= 1
    True
    """
    check_keywords(evaluate, settings, ModelOptions)
    if "," in str(settings.get("template", "")):
        raise UserError(
            f"template is {settings['template']!r}: evaluate makes one record; name one, or call "
            "evaluate_many"
        )
    if name is not None:
        check_name(name)
    models: Models = [model] if name is None else {name: model}
    given: Any = {"weights": weights, "parent": parent, "options": options}
    return evaluate_many(models, [protocol], data, **given, **settings)[0]


@with_fields(Settings)
def evaluate_many(
    models: Models,
    protocols: str | Sequence[str],
    data: str | Path | None = None,
    *,
    embeddings: Sequence[tuple[Path, Path | None]] = (),
    scores: Sequence[Path] = (),
    weights: Weights | None = None,
    parent: AnyModel | None = None,
    options: ModelOptions | None = None,
    on_record: Callable[[Record], None] | None = None,
    **settings: Any,
) -> Results[Record]:
    """Records of every model on every protocol, protocol by protocol; faces are found once.

    All models are loaded and the faces of all protocols found before the first pass of a network,
    so that a mistake in the last costs no time. A script calls this below
    ``if __name__ == "__main__":``, as it does `evaluate`.

    Parameters
    ----------
    models : one model, sequence of models, or mapping of names to models
        Each as of `evaluate`.
    protocols : str, or sequence of str
        Names, or files of cards.
    data : str or path, optional
        As of `evaluate`.
    embeddings : sequence of (path, path), optional
        ``.npy`` files and the names of their rows, each evaluated as a model after the others; of
        a folder of shards, or a Parquet file, which have names, ``None`` in their place.
    scores : sequence of path, optional
        Tables, CSV or Parquet, of ``image_a, image_b`` and ``score`` (or ``distance``), each
        evaluated as a model. One with the column ``same`` is the list of pairs as well, where no
        other is named.
    weights : str, path, or sequence of them, optional
        Files of weights, or patterns such as ``runs/*/ckpt.pt``, for the one torch module or
        ``package.module:factory`` among the models: each is a model, called by what differs in its
        path.
    parent : as one of models, optional
        As of `evaluate`; by default the first model, of those whose card names none.
    options : ModelOptions, optional
        What it says of the input is of models without a card, where others have one.
    on_record : callable, optional
        Called with each record as soon as it is done, so that none is lost with a later one.
    **settings
        The fields of `Settings`.

    Returns
    -------
    Results of Record
        With ``to_frame()``.

    Raises
    ------
    UserError
        As `evaluate`; two models of one name.

    Warns
    -----
    UserWarning
        As `evaluate`.

    Examples
    --------
    >>> import facebench
    >>> import numpy as np
    >>> def grey(faces):
    ...     return faces[:, ::8, ::8].mean(axis=3, dtype=np.float32).reshape(len(faces), -1)
    >>> records = facebench.evaluate_many(
    ...     {"pixels": grey, "inverse": lambda faces: 255 - grey(faces)},
    ...     ["lfw"],
    ...     data,  # your folder of faces
    ...     options=facebench.ModelOptions(size=(112, 96)),
    ...     align="centre",
    ...     progress=False,
    ... )
    >>> [record.model.id for record in records]
    ['pixels', 'inverse']
    """
    check_keywords(evaluate_many, settings, ModelOptions)
    chosen = Settings(**settings)
    with torch_threads(chosen.threads):
        return _evaluate_all(
            models, protocols, data, embeddings, scores, weights, parent, options, on_record, chosen
        )


def _evaluate_all(
    models: Models,
    protocols: Sequence[str],
    data: str | Path | None,
    embeddings: Sequence[tuple[Path, Path | None]],
    scores: Sequence[Path],
    weights: Weights | None,
    parent: AnyModel | None,
    options: ModelOptions | None,
    on_record: Callable[[Record], None] | None,
    chosen: Settings,
) -> Results[Record]:
    require("options", options, (ModelOptions, NoneType), "facebench.ModelOptions(size=(112, 96))")
    require("data", data, (str, PathLike, NoneType), "'data/lfw'")
    require_function("on_record", on_record)
    names = listed("protocols", protocols, "['lfw']")
    for name in names:
        require("protocol", name, (str, PathLike), "'lfw'")
    cards = [load_protocol(str(name)) for name in dict.fromkeys(names)]
    tables = [Path(table) for table in listed("scores", scores, "['mine.csv']")]
    candidates = candidates_of(
        swept(_several(models), weights), options, _pairs(embeddings), tables
    )
    if not candidates or not cards:
        raise UserError("nothing to evaluate: name at least one model and one protocol")
    _require_distinct(candidates)
    if any(candidate.scores for candidate in candidates):
        _require_use_of_scores(candidates, cards, chosen)
    for card in cards:
        for candidate in candidates:
            require_degradable(candidate, card)
    candidates = with_ratios(candidates, _parent(parent, options))
    images = any(candidate.embedder for candidate in candidates)
    records: list[Record] = []
    told: set[str] = set()
    similarities = [
        candidate.similarity(chosen.similarity, chosen.metric) for candidate in candidates
    ]
    faces_of_axes = FitFaces.of(chosen)
    own = next((c.scores.path for c in candidates if c.scores and c.scores.lists_pairs), None)
    ready = prepare_all(cards, data, chosen, images, own if data is None else None)
    for prepared in ready:
        if faces_of_axes is not None:
            faces_of_axes.require_other_people(prepared.named_people)
        for candidate in candidates:
            _require_other_calibration(candidate, prepared)
    candidates = [in_runtime(candidate, ready[0], chosen) for candidate in candidates]
    templates = [
        [fitted(template, candidate, faces_of_axes, chosen) for template in chosen.templates]
        for candidate in candidates
    ]
    if (deployed := _deployed(chosen)) is not None:
        for prepared in ready:
            for candidate, similarity, kinds in zip(
                candidates, similarities, templates, strict=True
            ):
                for template in kinds:
                    _require_deployable(deployed, candidate, similarity, template, prepared)
    for prepared in ready:
        for candidate, similarity, kinds in zip(candidates, similarities, templates, strict=True):
            for template in kinds:
                records.append(_evaluate_one(candidate, similarity, template, prepared, chosen))
                if on_record is not None:
                    on_record(records[-1])
                _tell(records[-1], told)
    return Results(records)


def evaluate_prepared(model: AnyModel, prepared: PreparedProtocol, settings: Settings) -> Record:
    """The record of one model on a protocol that is prepared already, maybe a part of one.

    UserError: as of `evaluate`.
    """
    with torch_threads(settings.threads):
        (candidate,) = with_ratios([candidate_of(model)], None)
        require_degradable(candidate, prepared.card)
        _require_other_calibration(candidate, prepared)
        candidate = in_runtime(candidate, prepared, settings)
        similarity = candidate.similarity(settings.similarity, settings.metric)
        template = fitted(settings.templates[0], candidate, FitFaces.of(settings), settings)
        return _evaluate_one(candidate, similarity, template, prepared, settings)


def _deployed(settings: Settings) -> DeployedThreshold | None:
    """UserError: no such file, or none of a threshold."""
    return None if settings.threshold is None else DeployedThreshold.read(Path(settings.threshold))


def _require_deployable(
    deployed: DeployedThreshold,
    candidate: Candidate,
    similarity: Similarity,
    template: FittedTemplate,
    prepared: PreparedProtocol,
) -> None:
    """UserError, before any work, where a threshold is not of these scores, or was set on all of
    these people.
    """
    compared = getattr(prepared, "comparisons", None)
    if not isinstance(compared, Comparisons):
        raise UserError(
            f"protocol {prepared.card.name} ({prepared.card.kind}): --threshold is of pairs in "
            "folds; leave it out, or choose such a protocol, e.g. -p lfw"
        )
    facts = candidate.facts
    scored = ScoredBy(
        model=facts.id,
        weights_hash=facts.weights_hash,
        preprocessing=facts.preprocessing,
        variant=facts.variant,
        flip=facts.flip,
        similarity=_similarity(candidate, similarity),
        template=template.template.name,
        alignment=_alignment(candidate, prepared),
    )
    deployed.require_same(scored)
    name, kind = prepared.card.name, prepared.faces.kind
    deployed.require_others(name, compared.fingerprint, kind)


def _alignment(candidate: Candidate, prepared: PreparedProtocol) -> str:
    """What records say of it."""
    if candidate.embedder is not None and prepared.faces.aligner is not None:
        return prepared.faces.aligner.signature
    return UNKNOWN if candidate.scores is None else UNSEEN


def _deployed_section(
    settings: Settings, outcome: FoldOutcome | Outcome, name: str
) -> DeployedSection | None:
    deployed = _deployed(settings)
    if deployed is None or not isinstance(outcome, FoldOutcome):
        return None
    decided = outcome.decided
    given = DeployedScores(
        decided.scores,
        decided.mated,
        decided.parts,
        decided.left_subjects,
        decided.right_subjects,
        outcome.comparisons.fingerprint,
    )
    return deployed.rates(given, name)


def _require_other_calibration(candidate: Candidate, prepared: PreparedProtocol) -> None:
    """UserError where a quantised model's ranges are of people of a test, by name."""
    known = None if candidate.card is None else candidate.card.calibration
    if known and (shared := shared_people(prepared.named_people, known.people)):
        raise UserError(
            f"model {candidate.facts.id}: was calibrated on faces of {len(shared):,} people of "
            f"{prepared.card.name} (first: {shared[0]}), and would be tested on what it was fitted "
            "to; quantise it again with --calibrate on faces of others"
        )


def _pairs(embeddings: Any) -> list[tuple[Path, Path | None]]:
    """The files of embeddings, each with that of its rows' names."""
    example = "[('mine.npy', 'names.txt')]"
    found = []
    for pair in listed("embeddings", embeddings, example):
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise UserError(f"embeddings has {pair!r}; it must be like {example}")
        require("embeddings", pair[0], (str, PathLike), example)
        require("embeddings", pair[1], (str, PathLike, NoneType), example)
        found.append((Path(pair[0]), None if pair[1] is None else Path(pair[1])))
    return found


def _several(models: Any) -> list[NamedModel]:
    """One model is one, and not its letters or layers; with the names that were given to them."""
    if isinstance(models, Mapping):
        for name in models:
            check_name(name)
        return [NamedModel(name, model) for name, model in models.items()]
    one = callable(models) or isinstance(models, Embedder)
    several = [models] if one else listed("models", models, "['sparse_074']")
    return [NamedModel(None, model) for model in several]


def _require_use_of_scores(
    candidates: Sequence[Candidate], cards: Sequence[ProtocolCard], chosen: Settings
) -> None:
    """UserError for protocols that compare no pairs of images, and where nothing but scores is
    evaluated and how embeddings are compared was said.
    """
    for card in cards:
        require_pairs_of_images(card)
    if not all(candidate.scores for candidate in candidates):
        return
    for option, value, usual in (
        ("--similarity", chosen.similarity, "cosine"),
        ("--template", chosen.template, PLAIN),
        ("--pooling", chosen.pooling, None),
    ):
        if value != usual:
            raise UserError(f"{option} {value} has no effect on scores; leave it out")


def prepare_all(
    cards: Sequence[ProtocolCard],
    data: str | Path | None,
    settings: Settings,
    images: bool,
    own: Path | None = None,
) -> list[PreparedProtocol]:
    """The faces and lists of all cards. own: a list of pairs that goes with scores, for cards that
    have none beside them. UserError: what is missing or wrong.
    """
    for card in cards:
        _require_use_of_groups(card, settings)
        _require_use_of_index(card, settings)
    found = []
    for card in cards:
        if own is not None and chosen_list(card, settings) is None:
            found.append(prepare_run(card, None, replace(settings, pairs=own), images=images))
            continue
        with counting_bar(_RENDERING, settings.progress, "faces", said=True) as progress:
            found.append(prepare_run(card, data, settings, images=images, progress=progress))
        found[-1].pooling(settings)  # refuses a wrong name before the long work
    # Before the long work, however quiet the run is.
    for notice in dict.fromkeys(prepared.faces.told or prepared.faces.notice for prepared in found):
        if notice:
            warnings.warn(Notice(notice), stacklevel=_CALLER)
    return found


def _require_use_of_groups(card: ProtocolCard, settings: Settings) -> None:
    """UserError for groups of a protocol that compares no pairs of single faces."""
    if (settings.groups or settings.group_table is not None) and card.kind != "verification":
        raise UserError(
            f"protocol {card.name} ({card.kind}): groups are of pairs of single faces, which the "
            "kind verification compares; leave --groups out, or choose another protocol"
        )


def _require_use_of_index(card: ProtocolCard, settings: Settings) -> None:
    """UserError for an index of a protocol that no index is for."""
    if settings.index != DEFAULTS.index and card.kind != "search":
        raise UserError(
            f"protocol {card.name} ({card.kind}): --index {settings.index} is of the kind search; "
            "leave it out, or choose another protocol"
        )


def _tell(record: Record, told: set[str]) -> None:
    """What a record notes and was not told yet."""
    for note in record.notes:
        notice = Notice(note, record.protocol.name)
        if str(notice) not in told:
            told.add(str(notice))
            warnings.warn(notice, stacklevel=_CALLER)


def _evaluate_one(
    candidate: Candidate,
    similarity: Similarity,
    template: FittedTemplate,
    prepared: PreparedProtocol,
    settings: Settings,
) -> Record:
    started = perf_counter()
    faces, used = prepared.faces, CandidateFaces(candidate, prepared, settings)
    embeddings = used.embeddings()
    kept = embeddings if template.template.plain else template.kept(embeddings)
    if candidate.scores is not None:
        outcome = prepared.scored(candidate.scores, settings)
    else:
        outcome = prepared.run(kept, similarity, settings)
    total = perf_counter() - started
    profile = used.profile
    facts = Facts(
        model=candidate.facts.model_copy(
            update={
                "dimension": used.dimension,
                "metric_values": similarity.values or None,
                "template": template.recorded,
            }
        ),
        data=DataSection(
            name=faces.name,
            kind=faces.kind,
            fingerprint=faces.label,
            faces=used.asked if candidate.scores is None else len(faces.keys),
            notice=faces.notice,
        ),
        alignment=_alignment(candidate, prepared),
        pooling=prepared.pooling(settings),
        similarity=_similarity(candidate, similarity),
        policy=settings.on_missing,
        failed_faces=used.failed,
        seed=settings.seed,
        environment=environment_section(candidate.embedder, settings.batch),
        run=run_section(
            {
                "network": profile.network,
                "waiting for faces": profile.waiting,
                "store": profile.store,
                "extraction": profile.total,
                "statistics": max(0.0, total - profile.total),
                "total": total,
            },
            outcome.searched_by if isinstance(outcome, Outcome) else "",
        ),
        published_list=prepared.published_list,
        edition=edition_of(prepared.card),
        deployed=_deployed_section(settings, outcome, f"protocol {prepared.card.name}"),
        notes=(
            *faces.remarks,
            *candidate.remarks,
            *used.remarks,
            *template.remarks,
            *_inverted(outcome),
        ),
    )
    return build_record(prepared.card, outcome, facts)


def _similarity(candidate: Candidate, similarity: Similarity) -> str:
    """What records call it; of scores that were given, whether they were distances."""
    if candidate.scores is None:
        return similarity.signature
    return "given(distances, negated)" if candidate.scores.distances else "given"


def _inverted(outcome: FoldOutcome | Outcome) -> tuple[str, ...]:
    """The remark on mated comparisons that score lower than non-mated ones."""
    if not isinstance(outcome, FoldOutcome) or outcome.statistics.auc >= 0.5:
        return ()
    return (
        f"the area under the ROC is {outcome.statistics.auc:.3f}, below one half: mated "
        "comparisons score lower than non-mated ones; are labels inverted, or is the similarity a "
        "distance?",
    )


def candidates_of(
    models: Sequence[NamedModel],
    options: ModelOptions | None,
    embeddings: Sequence[tuple[Path, Path | None]] = (),
    scores: Sequence[Path] = (),
) -> list[Candidate]:
    """The models, loaded, the embeddings and the scores, under the names that were given them."""
    given = [one.spec if one.weights else one.model for one in models]
    chosen = _options_of([one.model for one in models], options)
    found = [
        candidate_of(one.model, own, one.name, one.weights)
        for one, own in zip(models, chosen, strict=True)
    ]
    given += [npy for npy, _ in embeddings]
    found += [candidate_of_embeddings(npy, rows) for npy, rows in embeddings]
    given += scores
    found += map(candidate_of_scores, scores)
    apart = names_apart(given, [candidate.facts.id for candidate in found])
    return [candidate.called(name) for candidate, name in zip(found, apart, strict=True)]


def _options_of(
    models: Sequence[AnyModel], options: ModelOptions | None
) -> list[ModelOptions | None]:
    """Options for every model. Where some have a card and some have none, what is said of the input
    is said of those without: a size cannot be meant for both.
    """
    bare = [_is_bare(model) for model in models]
    if options is None or all(bare) or not any(bare):
        return [options] * len(models)
    cards = options.of_the_machine()
    return [options if own else cards for own in bare]


def _is_bare(model: AnyModel) -> bool:
    """Whether only options say what its input is."""
    if isinstance(model, (str, PathLike)):
        return is_bare(str(model))
    return not isinstance(model, Embedder)


def _parent(model: AnyModel | None, options: ModelOptions | None) -> Candidate | None:
    if model is None:
        return None
    if options is not None and not _is_bare(model):
        options = options.of_the_machine()
    return candidate_of(model, options)


def _require_distinct(candidates: Sequence[Candidate]) -> None:
    names = Counter(candidate.facts.id for candidate in candidates)
    repeated = [name for name, count in names.items() if count > 1]
    if repeated:
        raise UserError(
            f"{names[repeated[0]]} models are called {repeated[0]!r}; name each once, or give "
            "them cards or files with different names, from Python a mapping of names to models"
        )
