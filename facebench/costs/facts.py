"""What a model takes before anything is timed: parameters, bytes, multiply-adds."""

from __future__ import annotations

from dataclasses import dataclass

from facebench.models.cards.card import ModelCard
from facebench.models.counting.cost import Cost
from facebench.models.counting.model import count_model
from facebench.models.embedders.options import ModelOptions
from facebench.models.zoo import card_for, load_model


@dataclass(frozen=True)
class ModelFacts:
    """A model that can be loaded. name: what records call it; input: height × width of its faces;
    passes: of the network for one embedding.
    """

    spec: str
    options: ModelOptions
    card: ModelCard
    name: str
    weights_hash: str
    sizes: Cost
    input: tuple[int, int]
    passes: int


def model_facts(
    spec: str, options: ModelOptions | None = None, name: str | None = None
) -> ModelFacts:
    """The facts of a model; UserError in one line: it cannot be loaded. name: if not its own."""
    options = options or ModelOptions()
    card = card_for(spec)
    embedder = load_model(spec, options)
    return ModelFacts(
        spec=spec,
        options=options,
        card=card,
        name=name or card.name,
        weights_hash=embedder.weights_hash,
        sizes=count_model(embedder, card),
        input=embedder.preprocessing.size,
        passes=1 if embedder.preprocessing.flip == "none" else 2,
    )
