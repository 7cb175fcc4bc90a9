"""``facebench train`` and ``facebench prune --structured`` of compact networks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from facebench.cli.laboratory import Lab, evaluated, learned_from, prepare

if TYPE_CHECKING:
    from facebench.nets.cards import ModelCard
    from facebench.pruning.structured.plan import FilterPlan
    from facebench.training.compact_run import Laboratory

RECIPE = "compact"


@contextmanager
def laboratory(lab: Lab, recipe_name: str, protocols: tuple[str, ...]) -> Iterator[Laboratory]:
    """The options as `Laboratory`, writing to the working directory, with progress shown."""
    from facebench.training.compact_run import Laboratory
    from facebench.training.progress import shown_machine
    from facebench.training.recipe_files import load_recipe

    prepare(lab, protocols)
    recipe = load_recipe(recipe_name)
    data, text = learned_from(lab, recipe)
    with shown_machine(lab.device, lab.precision, not lab.quiet) as machine:
        yield Laboratory(
            recipe, recipe_name, data, text, lab.work, Path("models"), Path("reports/results"),
            machine, lambda card, protocols: evaluated(card, protocols, lab), lab.overwrite,
        )  # fmt: skip


def train(
    card: ModelCard,
    lab: Lab,
    recipe: str | None,
    steps: int | None,
    seed: int,
    protocols: tuple[str, ...],
    licence: str,
) -> ModelCard:
    """Learn the weights of a compact card; see `compact_run.train_compact`."""
    from facebench.training.compact_run import train_compact

    with laboratory(lab, recipe or RECIPE, protocols) as work:
        return train_compact(card, work, steps, seed, protocols, licence)


def remove_filters(plan: FilterPlan, card: ModelCard, lab: Lab, recipe: str | None) -> list[str]:
    """Remove filters of a compact card step by step; see `schedule.run_filters`."""
    from facebench.pruning.structured.schedule import FilterRun, run_filters

    with laboratory(lab, recipe or RECIPE, plan.protocols) as work:
        return run_filters(FilterRun(plan, card, work))
