"""The paper's schedule in numbers, and recipes that are wrong."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.lab.learning.recipes import RecipeFile, load_recipe


def test_the_papers_training() -> None:
    """Section 5: 0.01 falls slowly to 0.0067 after 140,000, then 10,000 with a tenth; 64 pairs."""
    recipe = load_recipe("paper").recipe("train", seed=0)
    assert recipe.steps == 150_000
    assert recipe.rate_at(0) == pytest.approx(0.01)
    assert recipe.rate_at(139_999) == pytest.approx(0.0067, rel=1e-3)
    assert recipe.rate_at(140_000) == pytest.approx(0.00067, rel=1e-3)
    assert recipe.rate_at(149_999) == pytest.approx(0.00067, rel=1e-3)
    assert load_recipe("paper").batch == 64 and load_recipe("paper").faces_per_step == 128
    assert load_recipe("paper").dropout == (0.3, 0.5)


def test_the_papers_retraining_falls_twice_as_fast() -> None:
    file = load_recipe("paper")
    train, retrain = file.recipe("train", 0), file.recipe("retrain", 0)
    assert retrain.steps == 70_000 and retrain.rate_at(0) == pytest.approx(0.01)
    # After half of the mini-batches it is where the training is: a doubled decreasing rate.
    assert retrain.rate_at(30_000) == pytest.approx(train.rate_at(60_000), rel=1e-3)
    assert retrain.rate_at(60_000) == pytest.approx(0.1 * retrain.rate_at(59_999), rel=1e-3)


def test_the_short_recipe_is_the_loops_and_keeps_its_proportions() -> None:
    recipe = load_recipe("short").recipe("train", seed=4, steps=100)
    assert (recipe.steps, recipe.seed, recipe.warmup) == (100, 4, 25)
    assert recipe.rate_at(25) == pytest.approx(1.5e-3) and recipe.rate_at(99) < 1e-5


@pytest.mark.parametrize(
    "change, said",
    [
        (("batch = 64", "batches = 64"), "did you mean 'batch'"),
        (('"adamw"', '"adam"'), "did you mean 'adamw'"),
        (("similarity = 20.0", "similarty = 20.0"), "did you mean 'similarity'"),
        (("steps = 7000", "steps = 0"), "train.steps"),
        (("batch = 64", "batch = 1"), "batch normalisation needs a batch of at least 2 faces"),
        (('supervision = "normalised"', 'supervision = "joint"'), "no loss 'similarity'"),
    ],
)
def test_a_wrong_recipe_is_one_line(tmp_path: Path, change, said: str) -> None:
    short = Path(__file__).parents[3] / "models" / "recipes" / "short.toml"
    path = tmp_path / "own.toml"
    path.write_text(short.read_text().replace(*change))
    with pytest.raises(UserError) as caught:
        load_recipe(str(path))
    assert said in str(caught.value) and str(path) in str(caught.value)


def test_an_unknown_recipe() -> None:
    with pytest.raises(UserError, match="did you mean 'paper'"):
        load_recipe("papr")


def test_the_plain_recipe_is_a_regression_of_a_bank() -> None:
    file = load_recipe("plain")
    recipe = file.recipe("train", seed=0)
    assert recipe.weights == {"regression": 1.0} and recipe.precision == "auto"
    assert (recipe.rate, recipe.decay, file.batch, file.dropout) == (2e-3, 5e-3, 64, (0.0, 0.0))
    assert file.bank is not None and file.bank.learn == "all" and file.bank.plan.faces == 400_000
    # A half cosine over all of it, after a short rise.
    assert recipe.rate_at(recipe.steps // 2) == pytest.approx(1e-3, rel=1e-2)
    assert file.recipe("retrain", 0).steps / recipe.steps == pytest.approx(70 / 150, rel=0.01)


def test_pairs_do_not_come_from_a_bank(tmp_path: Path) -> None:
    paper = Path(__file__).parents[3] / "models" / "recipes" / "paper.toml"
    path = tmp_path / "own.toml"
    path.write_text(paper.read_text().replace("[weights]", "[bank]\nfaces = 8\n[weights]"))
    with pytest.raises(UserError, match="not from a bank"):
        load_recipe(str(path))


def test_the_ablation_goes_from_short_to_plain_a_change_at_a_time() -> None:
    folder = Path(__file__).parents[3] / "models" / "recipes" / "ablation"
    order = ("short", "no_similarity", "regression", "decay", "rate", "clean", "views", "all")
    assert {path.stem for path in folder.iterdir()} == {*order, "identity"}
    made = {name: load_recipe(str(folder / f"{name}.toml")) for name in (*order, "identity")}
    first, last = load_recipe("short"), load_recipe("plain")
    alike = {"title", "train", "retrain", "checkpoint_every", "precision", "bank"}
    assert made["short"].model_dump(exclude=alike) == first.model_dump(exclude=alike)
    assert made["all"].model_dump(exclude=alike) == last.model_dump(exclude=alike)
    for name, recipe in made.items():
        assert (recipe.train.steps, recipe.precision) == (1600, "bfloat16"), name
    changed = [_changed(made[one], made[two]) for one, two in itertools.pairwise(order)]
    assert changed == [
        {"weights"}, {"weights"}, {"decay"}, {"dropout", "train"}, {"bank"}, {"bank"}, {"bank"},
    ]  # fmt: skip
    assert _changed(made["all"], made["identity"]) == {"weights"}
    assert last.bank is not None and made["all"].bank is not None
    # The plain recipe's bank goes on where the ablation's ends.
    assert replace(last.bank.plan, faces=102_400) == made["all"].bank.plan


def _changed(one: RecipeFile, other: RecipeFile) -> set[str]:
    before, after = one.model_dump(exclude={"title"}), other.model_dump(exclude={"title"})
    return {name for name in before if before[name] != after[name]}
