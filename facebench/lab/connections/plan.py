"""Plans in TOML: which layers become how sparse, one after the other, from the top down."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from facebench.base.errors import UserError, nearest
from facebench.base.text import fraction
from facebench.base.validation import Strict, Text
from facebench.lab.connections.criteria import NAMES, SCRATCH
from facebench.lab.learning.recipes import AtLeastOne
from facebench.models.architectures.shapes import LAYERS
from facebench.models.cards.card import Name


class Baseline(Strict):
    """The dense network N_0: learned under the name ``model``, or taken ``from`` a card.

    steps: mini-batches, None: the recipe's; several numbers: as many rounds, each with the whole
    schedule of the learning rate (warm restarts: Loshchilov, Hutter 2017).
    """

    model: Name
    start: str | None = Field(default=None, alias="from")
    steps: AtLeastOne | Annotated[tuple[AtLeastOne, ...], Field(min_length=1)] | None = None

    def rounds(self, default: int) -> tuple[int, ...]:
        """Mini-batches of each round."""
        steps = default if self.steps is None else self.steps
        return (steps,) if isinstance(steps, int) else steps


class Step(Strict):
    """One more sparse layer: N_m out of its parent, by default the model of the step before.

    criterion: see `criteria.CRITERIA`; ``scratch``: the masks of the model
    ``masks_of``, an earlier one of the plan, with random weights. steps: mini-batches, None: the
    recipe's.
    """

    model: Name
    layer: str | None = None
    keep: str | None = None
    criterion: str = "correlation"
    parent: Name | None = None
    masks_of: Name | None = None
    steps: AtLeastOne | None = None

    @field_validator("criterion")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in NAMES:
            raise ValueError(f"no criterion {name!r}{nearest(name, NAMES)} ({', '.join(NAMES)})")
        return name

    @field_validator("layer")
    @classmethod
    def _layer(cls, layer: str | None) -> str | None:
        if layer is not None and layer not in LAYERS:
            raise ValueError(f"no layer {layer!r}{nearest(layer, LAYERS)} ({', '.join(LAYERS)})")
        return layer

    @field_validator("keep")
    @classmethod
    def _share(cls, keep: str | None) -> str | None:
        if keep is not None and not 0 < _fraction(keep) < 1:
            raise ValueError(f"{keep!r} is not a share between 0 and 1, such as '1/256'")
        return keep

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.criterion == SCRATCH:
            if self.masks_of is None or self.layer or self.keep or self.parent:
                raise ValueError("scratch needs masks_of, and no layer, keep or parent")
        elif self.layer is None or self.keep is None or self.masks_of is not None:
            raise ValueError("a step needs layer and keep (masks_of is for criterion 'scratch')")
        return self

    @property
    def degree(self) -> Fraction:
        """The degree of sparsity S."""
        return _fraction(self.keep or "0")


class Data(Strict):
    """What is learned from: see ``--data``, ``--teacher``, ``--hold-out`` of `facebench train`.

    words: the same for readers of the cards, instead of the folders' names.
    """

    sources: tuple[str, ...] = ()
    teacher: str | None = None
    hold_out: AtLeastOne | None = None
    words: Text = ""


class FrozenLayers(Strict):
    """Layers ``below`` one stay the baseline's in every step; scratch learns all of them.

    Their activations in ``views`` augmentations of each face are stored, and learned from.
    """

    below: str
    views: AtLeastOne = 4

    @field_validator("below")
    @classmethod
    def _above_the_first(cls, layer: str) -> str:
        if layer == LAYERS[0]:
            raise ValueError(f"below {layer} there is no layer to freeze; name a later one")
        if layer not in LAYERS[1:]:
            raise ValueError(
                f"no layer {layer!r}{nearest(layer, LAYERS)} ({', '.join(LAYERS[1:])})"
            )
        return layer


class ConnectionPlan(Strict):
    """The networks N_0, N_1, … to learn. recipe: a name or TOML file; protocols: to evaluate on.

    Source: Sun, Wang, Tang 2015, Table 2.
    """

    title: Text = ""
    width: Annotated[float, Field(gt=0, le=4)] = 1.0
    recipe: str = "short"
    seed: Annotated[int, Field(ge=0)] = 0
    licence: Text = ""
    protocols: tuple[str, ...] = ()
    baseline: Baseline
    data: Data = Data()
    frozen: FrozenLayers | None = None
    step: tuple[Step, ...] = ()

    @model_validator(mode="after")
    def _one_layer_more(self) -> Self:
        structures: dict[str, dict[str, Fraction]] = {self.baseline.model: {}}
        before = self.baseline.model
        for step in self.step:
            if step.model in structures:
                raise ValueError(f"two networks are called {step.model!r}")
            parent = step.masks_of or step.parent or before
            if parent not in structures:
                raise ValueError(
                    f"step {step.model}: no earlier network {parent!r}{nearest(parent, structures)}"
                )
            structures[step.model] = _grown(step, structures[parent], self.baseline.start)
            if step.criterion != SCRATCH:
                before = step.model
        return self

    @model_validator(mode="after")
    def _steps_learn(self) -> Self:
        for step in self.step:
            if self.frozen is None or step.layer is None:
                continue
            if LAYERS.index(step.layer) < LAYERS.index(self.frozen.below):
                raise ValueError(
                    f"step {step.model}: {step.layer} is frozen (below {self.frozen.below})"
                )
        return self

    def parent_of(self, step: Step) -> str:
        """The network that a step starts from: N_(m-1); of a scratch step, that of its masks."""
        if step.masks_of or step.parent:
            return step.masks_of or step.parent or ""
        before = self.baseline.model
        for other in self.step:
            if other is step:
                break
            if other.criterion != SCRATCH:
                before = other.model
        return before

    def structure(self, name: str, base: Mapping[str, Fraction]) -> dict[str, Fraction]:
        """Degrees of sparsity by layer of a network of the plan; base: those of the baseline."""
        if name == self.baseline.model:
            return dict(base)
        step = next(step for step in self.step if step.model == name)
        parent = self.structure(self.parent_of(step), base)
        return parent if step.layer is None else {**parent, step.layer: step.degree}

    def of(self, name: str) -> Step:
        """The step that makes a network."""
        return next(step for step in self.step if step.model == name)


def _grown(step: Step, parent: dict[str, Fraction], start: str | None) -> dict[str, Fraction]:
    """The structure after a step; ValueError where it does not go on from the top down."""
    if step.layer is None:
        return parent
    lowest = min((LAYERS.index(layer) for layer in parent), default=len(LAYERS))
    if LAYERS.index(step.layer) > lowest:
        done = ", ".join(parent)
        raise ValueError(f"step {step.model}: {step.layer} lies above {done}; go from the top down")
    if step.layer in parent and step.degree >= parent[step.layer]:
        raise ValueError(
            f"step {step.model}: its parent keeps {parent[step.layer]} of {step.layer} already"
        )
    return {**parent, step.layer: step.degree}


def check_share(option: str, keep: str) -> None:
    """UserError, naming the option, where a text is no share of a layer's connections."""
    if not 0 < _fraction(keep) < 1:
        raise UserError(f"{option} {keep}: not a share between 0 and 1, such as 1/256")


def _fraction(text: str) -> Fraction:
    try:
        return fraction(text)
    except ValueError:
        return Fraction(0)
