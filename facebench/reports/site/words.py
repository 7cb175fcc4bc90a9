"""What pages say in words: facts of cards, commands, and what to mind about kinds of protocols."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from facebench.base.text import count_text, percent, points, size_text
from facebench.faces.degrade.names import JOIN
from facebench.models.cards.card import ModelCard, is_code
from facebench.reports.facts import has_weights, structure_text
from facebench.reports.site.folios import KeptRecord, ModelFolio, ProtocolFolio, Site
from facebench.tables.text import points_text

FactLines = list[tuple[str, str]]


@dataclass(frozen=True)
class Relative:
    """A model of a lineage; page: empty where it has none; text: how good it is, and against the
    one that it was made of.
    """

    name: str
    page: str
    text: str


_OF_PAIRS = (
    "The threshold of a fold is learned on the other folds, and accuracy is a mean over folds; a "
    "threshold chosen on the test pairs themselves gives more.",
    "The same people are in many pairs. Intervals here are over people; taken over pairs they "
    "would be too narrow.",
    "± in papers is a standard error for some protocols and a standard deviation for others; the "
    "definition above says which.",
    "TAR at a FAR that few non-mated pairs can tell from zero hangs on one or two pairs.",
)
_OF_SEARCHES = (
    "A few people have many probes: a rate over probes is mostly theirs. Records also hold the "
    "rate with every person counted once.",
    "Probes of strangers decide the threshold of an open set; a closed set has none, and says "
    "nothing about false alarms.",
    "Searches that share people are not independent; intervals here are over people.",
)
_OF_TEMPLATES = (
    "A template is several images or frames; the score hangs on how they are pooled.",
    "IJB-A's splits share people, so ± over splits is no interval.",
)
_TRAPS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "verification": _OF_PAIRS,
        "video": _OF_PAIRS,
        "identification": _OF_SEARCHES,
        "search": (
            *_OF_SEARCHES,
            "More people and distractors in the gallery make every rate lower: galleries of "
            "different sizes are not compared.",
        ),
        "template-search": (*_OF_TEMPLATES, *_OF_SEARCHES),
        "template": _OF_TEMPLATES,
        "all-pairs": (
            "Non-mated pairs are so many that false accepts come from a few people who look "
            "alike; the number of pairs says little about how sure a rate is.",
        ),
    }
)
_TWIN = (
    "Rendered faces stand in for photographs to test code and to compare runs. No number of them "
    "says how good a model is on people; they have rankings of their own."
)
_HARDER = (
    "The faces were made worse on purpose ({}). Only records of the same degradation are compared."
)


def traps_of(protocol: ProtocolFolio) -> list[str]:
    """What to mind when numbers of a protocol are read."""
    first = protocol.rankings[0].first
    found = list(_TRAPS.get(first.protocol.kind, ()))
    if JOIN in protocol.name:
        found.insert(0, _HARDER.format(protocol.name.partition(JOIN)[2]))
    if any(ranking.kind == "synthetic" for ranking in protocol.rankings):
        found.append(_TWIN)
    if any(
        s.record.protocol.published_list is False for r in protocol.rankings for s in r.standings
    ):
        found.append(
            "Some records are of other comparisons than the published list; they are not "
            "comparable with published numbers."
        )
    return found


def facts_of(model: ModelFolio) -> FactLines:
    """What a model is: from its card where there is one, else from its record."""
    record = model.kept[0].record.model
    taken = model.kept[0].standing.taken
    facts = [(name, text) for name, text in _of_card(model.card) if text] if model.card else []
    facts += [
        ("input", record.preprocessing),
        ("embedding", f"{record.dimension} numbers" if record.dimension else ""),
        ("flip", record.flip),
        ("precision", record.precision),
        ("parameters", _parameters(model.kept[0])),
        ("size", _size(model.kept[0])),
        ("multiply-adds of one face", _products(taken.kept_multiply_adds, taken.multiply_adds)),
        ("weights, SHA-256", record.weights_hash),
    ]
    return [(name, text) for name, text in facts if text]


def _of_card(card: ModelCard) -> Iterator[tuple[str, str]]:
    yield "title", card.title
    yield "architecture", card.architecture
    if card.architecture == "convnet":
        yield "structure", structure_text(card.degrees)
        yield "width", f"{card.width:g} of the paper's" if card.width else ""
    if card.filters_removed is not None:
        yield "filters removed", f"{card.filters_removed:.0%}"
    if card.members:
        yield "members", ", ".join(f"{one.model} ({one.region})" for one in card.members)
    yield "training data", " ".join(card.training.data.split())
    yield "recipe", " ".join(card.training.recipe.split())
    yield "faces seen", f"{card.training.images:,}" if card.training.images else ""
    yield "training took", ", ".join(filter(None, (card.training.duration, card.training.device)))
    if card.source:
        yield "published in", ", ".join(filter(None, (card.source.paper, card.source.table)))
    yield "licence", " ".join(card.licence.split()) or "none is stated"
    yield "notes", " ".join(card.notes.split())


def _parameters(kept: KeptRecord) -> str:
    model = kept.record.model
    if model.parameters is None:
        return ""
    text = f"{count_text(model.kept_parameters)} kept of {count_text(model.parameters)}"
    ratio = model.compression_ratio
    return text if ratio is None else f"{text}; {ratio:.1%} of what it was made of"


def _size(kept: KeptRecord) -> str:
    model = kept.record.model
    if model.bytes is None:
        return ""
    packed = model.packed_bytes
    return size_text(model.bytes) + ("" if packed is None else f", packed {size_text(packed)}")


def _products(kept: int | None, whole: int | None) -> str:
    if kept is None:
        return ""
    text = count_text(kept)
    return text if whole in (None, kept) else f"{text} without zeros, {count_text(whole)} with them"


def commands_of(model: ModelFolio) -> list[tuple[str, str]]:
    """(what for, command) of what can be done with a model."""
    protocol = model.kept[0].record.protocol.name
    card = model.card
    if card is None or model.foreign:
        return [("evaluate such a file", f"facebench eval -m FILE -p {protocol} --data FOLDER")]
    name = card.name
    if not has_weights(card):
        return [("read what is known of it", f"facebench models show {name}")]
    found = [
        ("evaluate it", f"facebench eval -m {name} -p {protocol} --data FOLDER"),
        ("see its worst errors", f"facebench worst {name} -p {protocol} --data FOLDER"),
        ("time it", f"facebench bench {name}"),
    ]
    if not is_code(card):
        found.append(("take it elsewhere", f"facebench export {name} --to onnx"))
    return found


def verdict_of(site: Site, model: ModelFolio) -> str:
    """Where the model stands in its largest ranking, and what became of its parent's accuracy."""
    kept = model.kept[0]
    ranking, standing = kept.ranking, kept.standing
    number = len(ranking.standings)
    text = f"{standing.headline} on {ranking.title}"
    if number > 1:
        rank = standing.rank
        text += f": rank {rank.place} of {number} ({rank.low} to {rank.high} at 95%)"
    parent = site.model(model.parent)
    against = None if parent is None else _against(kept, parent)
    if parent is None or against is None:
        return f"{text}."
    saved = _saved(parent.kept[0], kept)
    return f"{text}. Against {parent.name}, of which it was made{saved}: {against}."


def _against(kept: KeptRecord, parent: ModelFolio) -> str | None:
    """The paired difference to the parent's record in the same ranking; None: it has none."""
    base = next((one for one in parent.kept if one.ranking is kept.ranking), None)
    if base is None:
        return None
    paired = kept.ranking.tests.headline(base.standing.number, kept.standing.number)
    verdict = VERDICTS.get(paired.verdict, "not tested")
    return f"{points(paired.difference)} points {points_text(paired.interval)}".rstrip() + (
        f", {verdict}"
    )


VERDICTS = {
    "better": "better",
    "worse": "worse",
    "no difference shown": "not told apart",
    "undecided": "undecided",
}


def _saved(parent: KeptRecord, kept: KeptRecord) -> str:
    before, after = parent.record.model.bytes, kept.record.model.bytes
    if not before or after is None or after == before:
        return ""
    return f", with {abs(1 - after / before):.0%} {'fewer' if after < before else 'more'} bytes"


def lineage_of(site: Site, model: ModelFolio) -> tuple[list[Relative], list[Relative]]:
    """What the model was made of, the oldest first and itself last; and what was made of it."""
    steps: list[Relative] = []
    before: str | None = None
    for name in (*site.ancestors(model), model.name):
        steps.append(_step(site, model, name, before))
        before = name
    return steps, [_step(site, model, one.name, model.name) for one in site.children(model.name)]


def _step(site: Site, model: ModelFolio, name: str, before: str | None) -> Relative:
    """A step in the ranking of the model."""
    one = site.model(name)
    if one is None:
        return Relative(name, "", "no record here")
    ranking = model.kept[0].ranking
    kept = next((own for own in one.kept if own.ranking is ranking), None)
    if kept is None:
        return Relative(name, one.page, "")
    parent = site.model(before)
    against = None if parent is None else _against(kept, parent)
    text = kept.standing.headline
    if kept.record.model.bytes is not None:
        text += f", {size_text(kept.record.model.bytes)}"
    return Relative(name, one.page, text if against is None else f"{text}; {against}")


def definition_of(protocol: ProtocolFolio) -> FactLines:
    """What a protocol's card says; without one, what its records do."""
    first = protocol.rankings[0].first
    facts = [("title", first.protocol.title), ("kind", first.protocol.kind)]
    facts += [("source", first.protocol.source), ("version", protocol.rankings[0].protocol)]
    if protocol.card is not None:
        for name, value in protocol.card.model_dump(mode="json").items():
            if name not in _SAID and value not in (None, "", [], {}):
                text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
                facts.append((name.replace("_", " "), " ".join(text.split())))
    return facts


_SAID = ("name", "kind", "version", "title", "source", "published", "columns")


def published_of(protocol: ProtocolFolio) -> list[str]:
    """Numbers of papers, as the card has them."""
    found = []
    for one in getattr(protocol.card, "published", ()):
        value = getattr(one, "accuracy", None) or one.value
        what = getattr(one, "rate", "accuracy")
        spread = "" if one.spread is None else f" ± {percent(one.spread)}"
        found.append(f"{one.model}: {what} {percent(value)}{spread}%. {one.source}")
    return found


def verify_of(kept: KeptRecord) -> str:
    """The command that computes a record again from its scores, in a copy of the site's folder: it
    refuses what was changed, or does not follow from these.
    """
    return f"facebench verify {shlex.quote(kept.copy)}"
