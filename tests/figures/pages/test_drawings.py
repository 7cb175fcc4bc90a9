"""What models take, for the drawings of a page."""

from __future__ import annotations

import pytest

from facebench.base.errors import Notice, UserError
from facebench.figures.pages import drawings
from facebench.records.record import Record
from tests.helpers.records import drawn_record


def test_costs_that_cannot_be_read_are_named_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are of one folded plot; the page is of use without it."""

    def refused(name: str) -> None:
        raise UserError(f"costs/{name}.json: not a complete record of costs")

    record: Record = drawn_record("m", per_kind=20, draws=0)
    monkeypatch.setattr(drawings, "find_costs", refused)
    with pytest.warns(Notice, match="costs/m.json"):
        sizes = drawings.sizes_of([record, record])
    assert sizes[drawings.LATENCY] == [None, None]
    assert sizes[drawings.KEPT] == [record.model.kept_parameters] * 2
