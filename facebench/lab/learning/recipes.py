"""Recipes in TOML: what a network is asked for, and how long and how hard it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from facebench.base.errors import UserError, nearest
from facebench.base.storage import toml_files
from facebench.base.validation import Share, Strict, Text, read_toml, validated
from facebench.lab.data.bank import BankPlan
from facebench.lab.learning.loop import Recipe

AboveZero = Annotated[float, Field(gt=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
Factor = Annotated[float, Field(ge=0)]
Which = Literal["train", "retrain"]
_SUPPORTED = {
    "normalised": ("regression", "similarity", "identity"),
    "joint": ("identity", "verification", "regression"),
}


class Phase(Strict):
    """One training; the fields are those of `facebench.lab.learning.loop.Recipe`.

    dropout: of 5b and f, None: the recipe's.
    """

    steps: AtLeastOne
    rate: AboveZero
    warmup: Annotated[int, Field(ge=0)] = 0
    schedule: Literal["cosine", "decline"] = "cosine"
    fall: Share = 0.7
    end: Annotated[float, Field(gt=0, le=1)] = 1.0
    fine_tune: Annotated[float, Field(ge=0, lt=1)] = 0.0
    dropout: tuple[Share, Share] | None = None


class BankFields(Strict):
    """A bank to learn from: faces in all, the share of morphs among them, and its seed.

    learn: ``all``; ``views``: without the morphs; ``clean``: views, too, but the teacher's
    embedding of the crop that they are of instead of that of the very face.
    """

    faces: AtLeastOne
    morphs: Annotated[float, Field(ge=0, lt=1)] = 0.4
    seed: Annotated[int, Field(ge=0)] = 0
    learn: Literal["all", "views", "clean"] = "all"

    @property
    def plan(self) -> BankPlan:
        """The bank itself, whatever is learned of it."""
        return BankPlan(self.faces, self.morphs, self.seed)


class RecipeFile(Strict):
    """How a baseline is trained (``train``) and a network that became sparser (``retrain``).

    supervision: ``normalised`` (`losses.Supervision`) or ``joint`` (`joint.JointSupervision`);
    normalised: batch normalisation while learning; dropout: of 5b and f; batch: faces, or pairs
    under joint supervision; weights: factors of the losses; margin, earlier: of joint supervision;
    bank: what is learned from instead of the crops themselves.
    """

    title: Text = ""
    supervision: Literal["normalised", "joint"]
    normalised: bool
    dropout: tuple[Share, Share]
    batch: AtLeastOne
    optimiser: Literal["adamw", "sgd"] = "adamw"
    momentum: Share = 0.9
    decay: Factor = 1e-4
    clip: AboveZero = 5.0
    precision: Literal["bfloat16", "float32", "auto"] = "auto"
    checkpoint_every: AtLeastOne = 500
    margin: AboveZero = 1.0
    earlier: tuple[Literal["2b", "3b", "4b", "5a", "5b"], ...] = ()
    weights: dict[str, Factor]
    bank: BankFields | None = None
    train: Phase
    retrain: Phase

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        known = _SUPPORTED[self.supervision]
        for name in self.weights:
            if name not in known:
                raise ValueError(f"no loss {name!r}{nearest(name, known)} ({', '.join(known)})")
        if not any(self.weights.values()):
            raise ValueError("all weights of losses are zero")
        if self.normalised and self.faces_per_step < 2:
            raise ValueError("batch normalisation needs a batch of at least 2 faces")
        if self.bank is not None and self.supervision == "joint":
            raise ValueError("joint supervision learns from pairs of crops, not from a bank")
        if self.earlier and self.supervision != "joint":
            raise ValueError("earlier layers belong to supervision 'joint'")
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """What a network depends on, as JSON: what is left out does not change it, so that a field
        that is added to recipes leaves those that do not name it what they were.
        """
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"checkpoint_every"})

    def phase(self, which: Which) -> Phase:
        """The training of a baseline, or of a network that became sparser."""
        return self.train if which == "train" else self.retrain

    def recipe(self, which: Which, seed: int, steps: int | None = None) -> Recipe:
        """A phase as the loop takes it, with another number of steps if given."""
        phase = self.phase(which)
        count = phase.steps if steps is None else steps
        return Recipe(
            steps=count,
            rate=phase.rate,
            # A run much shorter than intended keeps its proportions.
            warmup=min(phase.warmup, count // 4),
            fall=phase.fall,
            decay=self.decay,
            weights=dict(self.weights),
            precision=self.precision,
            seed=seed,
            checkpoint_every=self.checkpoint_every,
            optimiser=self.optimiser,
            momentum=self.momentum,
            schedule=phase.schedule,
            end=phase.end,
            fine_tune=phase.fine_tune,
            clip=self.clip,
        )

    @property
    def faces_per_step(self) -> int:
        """Faces in a mini-batch."""
        return 2 * self.batch if self.supervision == "joint" else self.batch


def load_recipe(name: str) -> RecipeFile:
    """A recipe by name (``short``, ``paper``) or TOML file; UserError names what is wrong there."""
    if name.endswith(".toml"):
        path = Path(name)
    else:
        files = toml_files("models", "recipes")
        if name not in files:
            raise UserError(
                f"unknown recipe {name!r}{nearest(name, files)} ({', '.join(sorted(files))}, or a "
                "TOML file)"
            )
        path = files[name]
    return validated(RecipeFile, read_toml(path), str(path))
