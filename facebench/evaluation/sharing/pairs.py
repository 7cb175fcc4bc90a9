"""The longest of evaluations of all pairs, divided: a part of the pairs, kept in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from facebench.base.errors import UserError
from facebench.evaluation.evaluate import candidates_of, prepare_all
from facebench.evaluation.faces import CandidateFaces
from facebench.evaluation.machine.runtime import in_runtime
from facebench.evaluation.templates import FitFaces, fitted
from facebench.models.cards.sweep import NamedModel, Weights, swept
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.cards import load_protocol
from facebench.protocols.kinds.all_pairs import MadePart, PreparedAllPairs
from facebench.protocols.settings import Settings


def parts_made(
    models: Sequence[str],
    protocols: Sequence[str],
    data: str | Path | None,
    part: tuple[int, int],
    *,
    embeddings: Sequence[tuple[Path, Path | None]],
    weights: Weights | None,
    options: ModelOptions,
    settings: Settings,
) -> Iterator[tuple[str, str, MadePart]]:
    """Make a part, of n from 0, of the pairs of every protocol under every model; model, protocol
    and what was made.

    UserError: a protocol of another kind, and what an evaluation refuses.
    """
    cards = [load_protocol(name) for name in dict.fromkeys(protocols)]
    for card in cards:
        if card.kind != "all-pairs":
            raise UserError(
                f"protocol {card.name} ({card.kind}) has no pairs of all faces to divide; choose "
                "one of the kind all-pairs, e.g. -p lfw-all-pairs, or divide the embedding with "
                "`facebench extract --shard i/n`"
            )
    named = swept([NamedModel(None, one) for one in models], weights)
    candidates = candidates_of(named, options, embeddings)
    similarities = [one.similarity(settings.similarity, settings.metric) for one in candidates]
    images = any(candidate.embedder for candidate in candidates)
    ready = prepare_all(cards, data, settings, images=images)
    candidates = [in_runtime(candidate, ready[0], settings) for candidate in candidates]
    others = FitFaces.of(settings)
    for prepared in ready:
        if others is not None:
            others.require_other_people(prepared.named_people)
    templates = [
        [fitted(name, candidate, others, settings) for name in settings.templates]
        for candidate in candidates
    ]
    for prepared in ready:
        assert isinstance(prepared, PreparedAllPairs)
        for candidate, similarity, kinds in zip(candidates, similarities, templates, strict=True):
            for template in kinds:
                rows = CandidateFaces(candidate, prepared, settings).embeddings()
                kept = rows if template.template.plain else template.kept(rows)
                made = prepared.make_part(kept, similarity, settings, part)
                yield candidate.facts.id, prepared.card.name, made
