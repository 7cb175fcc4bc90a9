"""What people write by hand: cards of protocols and reports, recipes, plans, rules, options."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Callable
from pathlib import Path
from random import Random

from facebench.base.errors import UserError
from facebench.base.validation import read_toml, validated
from facebench.gate.formats import FORMATS, render_gate
from facebench.gate.judge import gated
from facebench.gate.rules import read_rules
from facebench.lab.connections.plan import ConnectionPlan
from facebench.lab.data.sources import parse_source
from facebench.lab.filters.plan import FilterPlan, parse_points, parse_share
from facebench.lab.learning.recipes import load_recipe
from facebench.models.embedders.options import device_parts, parse_options
from facebench.protocols.cards import read_protocol
from facebench.protocols.frames import check_frames, choose_frames
from facebench.protocols.settings import Settings
from facebench.reports.card import read_report
from facebench.similarity.pooling import check_pooling
from tests.fuzz.mutations import lines_changed, toml_changed, toml_text
from tests.fuzz.target import Files, Target, shipped
from tests.fuzz.targets.records import two_records


def _cards(pattern: str) -> Callable[[Random], Files]:
    """One of the shipped cards, under the name that it has."""

    def make(rng: Random) -> Files:
        card = tomllib.loads(rng.choice(shipped(pattern)).decode())
        name = card.get("name", "card")
        return {f"{name}.toml": toml_changed(rng, card)}

    return make


def _one(folder: Path) -> Path:
    return next(folder.glob("*.toml"))


def _read_protocol(folder: Path) -> None:
    card = read_protocol(_one(folder))
    assert card.name == _one(folder).stem


def _read_recipe(folder: Path) -> None:
    recipe = load_recipe(str(_one(folder)))
    learned = recipe.recipe("train", 0)
    recipe.recipe("retrain", 0, 3)
    for step in (0, 1, learned.steps // 2, learned.steps):
        learned.rate_at(step)


def _read_plan(folder: Path) -> None:
    path = _one(folder)
    plan = validated(ConnectionPlan, read_toml(path), str(path))  # as `prune` and `train` do
    for step in plan.step:
        plan.structure(step.model, {})
        plan.parent_of(step)


_RULES = (
    *("lfw.accuracy drop <= 0.3pt at 95%", "bytes <= 0.75 of baseline", "lfw.tar@far=0.001 >= 45%"),
    *("lfw.eer rise <= 0.5pt at 90%", "kept_parameters <= 1e6", "bytes <= 30MB"),
    *("compression_ratio <= 0.5", "ijba.tar@0.001 >= 0.45", "lfw-open.dir@0.01 >= 0.3"),
    "lfw-closed.rank-1 drop <= 1pt",
)


def _rules(rng: Random) -> Files:
    if rng.random() < 0.4:
        return {"gate.toml": toml_changed(rng, {"rules": list(_RULES), "undecided": "fail"})}
    rules = []
    for _ in range(rng.choice((1, 1, 2))):
        rule = rng.choice(_RULES[:7]).encode()
        if rng.random() < 0.6:
            rule = lines_changed(rng, rule, " ")
        rules.append(rule.decode("utf-8", "replace"))
    undecided = rng.choice(("fail", "pass", "report", "x"))
    return {"gate.toml": toml_text({"rules": rules, "undecided": undecided}).encode()}


def _read_rules(folder: Path) -> None:
    rules = read_rules(folder / "gate.toml")
    base, candidate = two_records()
    with contextlib.suppress(UserError):  # a rule of what these records do not have
        result = gated(rules, [base], [candidate])
        for format in FORMATS:
            render_gate(result, format)


_OPTIONS = (
    *("5%", "0.05", "1/20", "112x96", "127.5,1,2", "every-5", "first-50", "random-25", "all"),
    *("mean-score+norm", "cuda:1", "folder:3", "5%,10%,20%"),
)


def _option(rng: Random) -> Files:
    return {"option.txt": lines_changed(rng, rng.choice(_OPTIONS).encode(), ",")}


def _read_option(folder: Path) -> None:
    text = (folder / "option.txt").read_bytes().decode("utf-8", "surrogateescape")
    ways: list[Callable[[], object]] = [
        lambda: _share(text),
        lambda: FilterPlan("a", "b", points=parse_points([text])).marks,
        lambda: parse_source(text),
        lambda: check_frames(text) or choose_frames(text, ["a", "b", "c"], "v"),
        lambda: check_pooling(text),
        lambda: device_parts(text),
    ]
    for field in ("align", "rule", "similarity"):
        ways.append(lambda field=field: Settings(**{field: text}))
    for field in ("size", "colour", "mean", "scale", "normalise", "flip", "layout", "device"):
        ways.append(lambda field=field: parse_options(**{field: text}))
    refused = 0
    for way in ways:
        try:
            way()
        except UserError as error:
            assert str(error).strip()
            refused += 1
    if refused == len(ways):
        raise UserError(f"option.txt: {text!r} is nothing that any option takes")


def _share(text: str) -> None:
    share = parse_share(text, "--step")
    with contextlib.suppress(UserError):
        assert FilterPlan("a", "b", step=share, until=share).marks


TARGETS = (
    Target("protocol cards", _cards("protocols/*.toml"), _read_protocol),
    Target("report cards", _cards("reports/*.toml"), lambda folder: read_report(_one(folder))),
    Target("recipes", _cards("models/recipes/*.toml"), _read_recipe),
    Target("plans", _cards("models/plans/*.toml"), _read_plan),
    Target("rules of gates", _rules, _read_rules),
    Target("options", _option, _read_option),
)
