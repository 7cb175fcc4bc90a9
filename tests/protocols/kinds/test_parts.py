"""RFW's four lists as one protocol with a group column and one threshold, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.evaluation.evaluate import evaluate_many
from facebench.protocols.cards import VerificationCard, load_protocol, read_protocol
from facebench.protocols.kinds.verification import PreparedVerification, prepare
from facebench.protocols.settings import Settings
from tests.helpers import open_sets as sets

PARTS = ("African", "Asian", "Caucasian", "Indian")
PLAIN = Settings(align="none", draws=99)


@pytest.fixture(scope="module")
def rfw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rfw")
    sets.write_rfw(folder)
    return folder


def ready(folder: Path, settings: Settings = PLAIN) -> PreparedVerification:
    card = load_protocol("rfw")
    assert isinstance(card, VerificationCard)
    return prepare(card, folder, settings, images=True)


def test_four_lists_are_one_with_the_groups_of_their_names(rfw: Path) -> None:
    prepared = ready(rfw)
    found, (labels,) = prepared.comparisons, prepared.labels
    assert (len(found), found.mated.sum(), set(found.folds)) == (160, 80, set(range(1, 11)))
    assert (labels.column, labels.labelled.values, labels.labelled.of) == ("race", PARTS, "people")
    assert labels.labelled.units == (20,) * 4 and labels.labelled.across == 0
    assert prepared.faces.source is not None and not prepared.faces.source.missing(found.keys)
    assert prepared.published_list is None
    for part in PARTS:  # pair by pair, those of the part's own card
        card = load_protocol(f"rfw-{part.lower()}")
        assert isinstance(card, VerificationCard)
        own = prepare(card, rfw, PLAIN, images=True).comparisons
        rows = [at for at, key in enumerate(found.left) if found.keys[key].startswith(f"{part}/")]
        for side, theirs in ((found.left, own.left), (found.right, own.right)):
            names = [found.keys[side[at]].removeprefix(f"{part}/") for at in rows]
            assert names == [own.keys[at] for at in theirs]
        assert found.folds[rows].tolist() == own.folds.tolist()


def test_a_gate_bounds_the_worst_group_and_the_damage(rfw: Path, tmp_path: Path) -> None:
    """The issue's two rules, of scores in which one group is hurt."""
    from facebench.gate.groups import damage_of, number_of_groups
    from facebench.gate.rules import parse_rule

    prepared = ready(rfw)
    found, rng = prepared.comparisons, np.random.default_rng(0)
    group = prepared.labels[0].labelled.group
    base = found.mated + 0.1 * rng.normal(size=len(found))
    hurt = base - 0.9 * (found.mated & (group == 1) & (np.arange(len(found)) % 4 < 2))
    tables = []
    for name, scores in (("base", base), ("small", hurt)):
        rows = [
            f"{found.keys[a]},{found.keys[b]},{score:.4f}"
            for a, b, score in zip(found.left, found.right, scores, strict=True)
        ]
        tables.append(tmp_path / f"{name}.csv")
        tables[-1].write_text("\n".join(["image_a,image_b,score", *rows]) + "\n")
    one, other = evaluate_many([], "rfw", rfw, scores=tables, draws=199)
    assert one.data.name == "rfw" and one.groups[0].column == "race"
    worst = parse_rule("rfw.worst_group_fnmr@0.1 <= 8%", "x")
    rates = [number_of_groups(worst, worst.groups, record) for record in (one, other)]
    assert rates[0].value == 0 and rates[1].value > 0.5 and "(Asian)" in rates[1].shown
    damage = parse_rule("rfw.damage@0.1 unequal p >= 0.05", "x")
    assert damage_of(damage, other, one)[0] is False
    assert damage_of(damage, one, one)[0] is True


def test_a_part_that_is_not_there(tmp_path: Path) -> None:
    sets.write_rfw(tmp_path)
    (tmp_path / "txts/Indian/Indian_pairs.txt").unlink()
    with pytest.raises(UserError, match=r"Indian_pairs\.txt") as caught:
        ready(tmp_path)
    assert "\n" not in str(caught.value)


def test_parts_and_their_column_go_together(tmp_path: Path) -> None:
    card = Path("protocols/rfw.toml").read_text().replace('"rfw"', '"own"')
    (tmp_path / "own.toml").write_text(card.replace('part_column = "race"\n', ""))
    with pytest.raises(UserError, match=r"own\.toml: field 'part_column': .*goes with parts"):
        read_protocol(tmp_path / "own.toml")
