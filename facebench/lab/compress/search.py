"""Which move is made next, and how far: by the gain in the objective per point lost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

# What was done to a network, in order: (move, its size so far), the last size of a move counting.
Sizes = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Look:
    """What a look at a candidate told. objective: less is better; points: lost against the start,
    a share, negative where it gained; passes: the rule of choosing.
    """

    objective: float
    points: float
    passes: bool


@dataclass
class CandidateSearch:
    """From the start to the smallest candidate that passes.

    most: the largest size of each move; look: at a candidate; least: the points, a share, that a
    move is taken to lose at least (one comparison), so that a gain without a loss is no infinite
    one; candidates: at most so many are looked at.

    Every move is tried at a quarter of its largest size. The one that gains most per point lost is
    made; then, again and again, the one that last gained most per point lost is tried from there:
    made where it passes, and bisected where it does not, until not even its smallest step does.
    """

    most: Mapping[str, int]
    look: Callable[[Sizes], Look]
    least: float
    candidates: int
    looked: dict[Sizes, Look] = field(default_factory=dict)

    def run(self) -> Sizes:
        """The sizes of the smallest candidate found, nothing where none passes."""
        made: Sizes = ()
        here, jump = self.look(()), {name: max(1, most // 4) for name, most in self.most.items()}
        worth = {name: self._worth(here, self._seen(self._next((), name, jump))) for name in jump}
        while jump:
            name = max(jump, key=lambda one: worth[one])
            there = self._next(made, name, jump)
            found = self._seen(there)
            if found is None:
                break
            if found.passes and found.objective < here.objective:
                worth[name] = self._worth(here, found)
                made, here = there, found
                if size_of(made, name) == self.most[name]:
                    del jump[name]
                continue
            smaller = (there[-1][1] - size_of(made, name)) // 2
            # Where even more of it saves nothing, less does not.
            if smaller == 0 or found.objective >= here.objective:
                del jump[name]
            else:
                jump[name] = smaller
        return made

    def _next(self, made: Sizes, name: str, jump: Mapping[str, int]) -> Sizes:
        before = size_of(made, name)
        return extended(made, name, min(before + jump[name], self.most[name]))

    def _seen(self, sizes: Sizes) -> Look | None:
        """A look, where it was not taken yet; None: no more may be taken."""
        if sizes not in self.looked:
            if len(self.looked) >= self.candidates:
                return None
            self.looked[sizes] = self.look(sizes)
        return self.looked[sizes]

    def _worth(self, here: Look, found: Look | None) -> float:
        """Logarithm of the objective gained per share lost; the least of all where none is."""
        if found is None or found.objective >= here.objective:
            return -math.inf
        gain = math.log(here.objective / found.objective)
        return gain / max(found.points - here.points, self.least)


def size_of(sizes: Sizes, name: str) -> int:
    """How far a move was made, 0: not at all."""
    return next((size for move, size in reversed(sizes) if move == name), 0)


def extended(sizes: Sizes, name: str, size: int) -> Sizes:
    """The sizes with a move made on; one that was made last is made further."""
    kept = sizes[:-1] if sizes and sizes[-1][0] == name else sizes
    return (*kept, (name, size))


def key_of_sizes(sizes: Sizes) -> str:
    """``filters-04_int8-01``; ``start``: nothing was done."""
    return "_".join(f"{name}-{size:02d}" for name, size in sizes) or "start"
