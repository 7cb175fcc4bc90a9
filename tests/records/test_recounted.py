"""Costs that a record claims, against those of the weights that it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facebench.base.errors import UserError
from facebench.gate.judge import gated
from facebench.gate.rules import parse_rules
from facebench.models.architectures.convnet import ConvNet
from facebench.models.cards.card import ModelCard, find_card
from facebench.records.agreement import require_recounted
from facebench.records.files import save_record
from facebench.records.find import Finder
from facebench.records.record import Record
from facebench.reports.build import fill_card, with_rows
from facebench.reports.card import load_report
from tests.comparison.test_compare import changed
from tests.evaluation.test_candidate import publish_half4b

MakeRecord = Callable[..., Record]


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelCard:
    """A network with half of layer 4b dropped, in the models of the working directory."""
    publish_half4b(tmp_path)
    monkeypatch.chdir(tmp_path)
    return find_card("half4b")


def record_of(card: ModelCard, make_record: MakeRecord, **costs: Any) -> Record:
    """A record with the costs of the weights, but for those given."""
    net = ConvNet(0.125, (112, 96))
    total = sum(parameter.numel() for parameter in net.parameters())
    kept = total - net.layer("4b").weight.numel() // 2
    assert card.weights_path is not None
    true = {
        "parameters": total,
        "kept_parameters": kept,
        "compression_ratio": kept / total,
        "bytes": card.weights_path.stat().st_size,
    }
    record = make_record("half4b", weights=card.sha256, per_kind=5, draws=0)
    return changed(record, model=record.model.model_copy(update=true | costs))


def test_costs_of_the_weights_are_believed(card: ModelCard, make_record: MakeRecord) -> None:
    require_recounted(record_of(card, make_record))


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ({"bytes": 100}, "says bytes 100, but its weights have "),
        ({"parameters": 7}, "says parameters 7, but"),
        ({"kept_parameters": 5}, "says kept_parameters 5, but"),
        ({"compression_ratio": 0.1}, r"says compression_ratio 0\.1, but"),
    ],
)
def test_other_costs_pass_no_gate(
    card: ModelCard, make_record: MakeRecord, costs: dict[str, Any], said: str
) -> None:
    record = record_of(card, make_record, **costs)
    (name,) = costs
    rule = f"{name} <= 0.99 of baseline"
    for base, judged in ((record_of(card, make_record), record), (record, record)):
        with pytest.raises(UserError, match=said) as error:
            gated(parse_rules([rule]), [base], [judged])
        assert "facebench eval" in str(error.value) and "\n" not in str(error.value)


def test_a_table_does_not_show_them_either(card: ModelCard, make_record: MakeRecord) -> None:
    path = save_record(record_of(card, make_record, bytes=100), Path("kept"))
    finder = Finder.of([path], cache=False)
    with pytest.raises(UserError, match="says bytes 100"):
        fill_card(with_rows(load_report("compare"), finder, ()), finder)


def test_without_the_weights_nothing_can_be_told(card: ModelCard, make_record: MakeRecord) -> None:
    record = record_of(card, make_record, bytes=100)
    model = record.model.model_copy(update={"weights_hash": "ab" * 32})
    require_recounted(changed(record, model=model))
    assert card.weights_path is not None
    card.weights_path.unlink()
    require_recounted(record)
