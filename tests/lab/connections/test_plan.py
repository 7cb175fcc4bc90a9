"""Plans: the paper's order, one layer more per step, and mistakes in one line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.base.validation import read_toml, validated
from facebench.lab.connections.plan import ConnectionPlan
from facebench.models.cards.card import read_card

MODELS = Path(__file__).parents[3] / "models"
PLAN = """
width = 0.5
[baseline]
model = "n0"
[[step]]
model = "n1"
layer = "f"
keep = "1/256"
[[step]]
model = "n2"
layer = "5b"
keep = "1/128"
"""


def plan(tmp_path: Path, text: str):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return validated(ConnectionPlan, read_toml(path), str(path))


def test_each_network_starts_from_the_one_before(tmp_path: Path) -> None:
    read = plan(tmp_path, PLAN)
    assert [read.parent_of(step) for step in read.step] == ["n0", "n1"]
    assert read.structure("n2", {}) == {"f": Fraction(1, 256), "5b": Fraction(1, 128)}
    assert read.structure("n1", {"4b": Fraction(1, 2)})["4b"] == Fraction(1, 2)


def shipped(name: str) -> ConnectionPlan:
    path = MODELS / "plans" / f"{name}.toml"
    return validated(ConnectionPlan, read_toml(path), str(path))


def test_the_zoos_plan_makes_the_zoos_cards() -> None:
    read = shipped("zoo")
    names = [step.model for step in read.step]
    assert names == [
        f"sparse_{n}" for n in ["096", "076", "074", "043", "026", "018", "014", "012"]
    ]
    for step in read.step:
        card = read_card(MODELS / f"{step.model}.toml")
        assert read.structure(step.model, {}) == card.degrees
        assert read.parent_of(step) == card.parent
    assert read.width == read_card(MODELS / "baseline.toml").width


def test_the_criterias_plan_holds_the_tables_networks_on_equal_budgets() -> None:
    read = shipped("criteria")
    steps = {step.model: step for step in read.step}
    budget = {read.baseline.model: read.baseline.steps}
    for step in read.step:
        if step.criterion != "scratch":
            budget[step.model] = budget[read.parent_of(step)] + step.steps
    for structure in ("096", "076", "074"):
        ours = steps[f"quarter_{structure}"]
        for criterion in ("random", "highest", "magnitude", "obd", "brp"):
            other = steps[f"quarter_{structure}_{criterion}"]
            assert other.criterion == criterion
            assert (other.layer, other.keep, other.steps) == (ours.layer, ours.keep, ours.steps)
            assert read.parent_of(other) == read.parent_of(ours)
    for structure in ("096", "076", "074", "012"):
        scratch = steps[f"quarter_{structure}_scratch"]
        assert scratch.masks_of == f"quarter_{structure}"
        assert scratch.steps == budget[f"quarter_{structure}"]


def test_scratch_takes_masks_and_is_nobodys_parent(tmp_path: Path) -> None:
    scratch = '[[step]]\nmodel = "x"\ncriterion = "scratch"\nmasks_of = "n2"\n'
    after = '[[step]]\nmodel = "n3"\nlayer = "4b"\nkeep = "1/2"\n'
    read = plan(tmp_path, PLAN + scratch + after)
    assert read.structure("x", {}) == read.structure("n2", {})
    assert read.parent_of(read.of("n3")) == "n2"


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('layer = "5b"', 'layer = "5c"', "did you mean '5b'"),
        ('"1/128"', '"2"', "not a share"),
        ('"1/128"', '"1/0"', "not a share"),
        ('model = "n2"', 'model = "n1"', "two networks"),
        ('model = "n2"', 'model = "n2"\nparent = "n9"', "no earlier network 'n9'"),
        ('model = "n2"', 'model = "n2"\ncriterion = "correlations"', "did you mean 'correlation'"),
        ('layer = "f"', 'layer = "4b"', "go from the top down"),
        ('layer = "5b"', 'layer = "f"', None),
        ('keep = "1/128"', "", "layer and keep"),
        ("width = 0.5", "widht = 0.5", "did you mean 'width'"),
        ('model = "n2"', 'model = "n2"\ncriterion = "scratch"', "masks_of"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, old: str, new: str, said: str | None) -> None:
    text = PLAN.replace(old, new)
    if said is None:  # the same layer again, but not sparser
        text, said = text.replace('"1/128"', '"1/16"'), "keeps 1/256 of f already"
    with pytest.raises(UserError) as caught:
        plan(tmp_path, text)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("frozen", "said"),
    [
        ('below = "f"', "step n2: 5b is frozen (below f)"),
        ('below = "1a"', "below 1a there is no layer to freeze"),
        ('below = "4c"', "did you mean"),
        ('below = "4a"\nviews = 0', "views"),
        ("views = 2", "below"),
    ],
)
def test_mistakes_in_frozen_layers_are_one_line(tmp_path: Path, frozen: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        plan(tmp_path, f"{PLAN}\n[frozen]\n{frozen}\n")
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_rounds_of_the_baseline() -> None:
    def rounds(steps: object) -> tuple[int, ...]:
        return ConnectionPlan.model_validate(
            {"baseline": {"model": "n0", "steps": steps}}
        ).baseline.rounds(9)

    assert rounds(None) == (9,) and rounds(5) == (5,) and rounds([5, 3]) == (5, 3)
    for wrong in ([], [0], 0):
        with pytest.raises(ValueError, match="steps"):
            rounds(wrong)
