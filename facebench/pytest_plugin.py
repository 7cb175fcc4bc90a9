"""The pytest plugin: the fixture ``accuracy_gate``, for projects that test their pruning runs.

Every pytest start imports this module, so it imports nothing of facebench that takes time.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from facebench.gate.judge import GateResult
    from facebench.records.record import Record

_BASELINE, _RULES = "facebench_baseline", "facebench_rules"


class GateUndecidedWarning(UserWarning):
    """A rule that the comparisons are too few to decide."""


class AccuracyGate:
    """Called with records, it passes, fails the test, or warns that it cannot tell.

    Settings of pytest (``[tool.pytest.ini_options]``), paths from the root folder:
    ``facebench_baseline``, a record or a folder of them, and ``facebench_rules``, a TOML file.
    """

    def __init__(self, root: Path, baseline: str, rules: str) -> None:
        self._root, self._baseline, self._rules = root, baseline, rules

    def __call__(
        self,
        records: Record | str | os.PathLike[str] | Sequence[Record | str | os.PathLike[str]],
        *,
        baseline: Record | str | os.PathLike[str] | None = None,
        rules: Sequence[str] | str | os.PathLike[str] | None = None,
        undecided: str | None = None,
        model: str | None = None,
    ) -> GateResult:
        """Judge records by rules against a baseline; the test fails where a rule does.

        records: a record, a record's file or a folder, or several of them; baseline: likewise, one;
        rules: a TOML file, or a list of rules; None: those of pytest's settings. undecided:
        ``fail``, ``pass`` or ``report`` (a warning); None: the file's, or ``report``. model: judge
        only the records of this one, e.g. of a folder. Paths are from the working directory.
        UserError: input that is wrong, as of ``facebench gate``.
        """
        __tracebackhide__ = True
        from facebench.gate.formats import render_gate
        from facebench.gate.judge import judge

        chosen = self._chosen_rules(rules, undecided)
        given, passed_over = _judged(records)
        held = self._baselines(baseline)
        result = judge(chosen, held, _of_model(given, model), passed_over=passed_over)
        text = render_gate(result, "text")
        if result.outcome == "fail":
            pytest.fail(f"accuracy gate:\n{text}", pytrace=False)
        if result.outcome == "undecided":
            warnings.warn(GateUndecidedWarning(f"accuracy gate:\n{text}"), stacklevel=2)
        return result

    def _chosen_rules(
        self, rules: Sequence[str] | str | os.PathLike[str] | None, undecided: str | None
    ) -> Any:
        from facebench.base.errors import UserError
        from facebench.gate.rules import Rules, parse_rules, read_rules

        if rules is None and not self._rules:
            raise UserError(f"accuracy_gate: pass rules=, or set {_RULES} in pytest's settings")
        if rules is None:
            rules = self._root / self._rules
        if isinstance(rules, (str, os.PathLike)):
            read = read_rules(Path(rules))
            read = Rules(read.rules, undecided or read.undecided)  # type: ignore[arg-type]
        else:
            read = parse_rules(rules, undecided or "report")  # type: ignore[arg-type]
        return parse_rules([rule.text for rule in read.rules], read.undecided)

    def _baselines(self, baseline: Record | str | os.PathLike[str] | None) -> list[Record]:
        if baseline is not None:
            return _records(baseline)
        return _records(self._root / self._baseline) if self._baseline else []


def pytest_addoption(parser: pytest.Parser) -> None:
    """The settings."""
    parser.addini(_BASELINE, "facebench: the baseline's record, or a folder of them", default="")
    parser.addini(_RULES, "facebench: the TOML file with the rules of accuracy_gate", default="")


@pytest.fixture
def accuracy_gate(request: pytest.FixtureRequest) -> AccuracyGate:
    """Fails a test whose model is worse than the rules allow; see `AccuracyGate.__call__`.

    Example::

        def test_the_pruned_model_is_as_good(accuracy_gate):
            record = facebench.evaluate("runs/pruned.toml", "lfw", "data/lfw")
            accuracy_gate(
                record,
                baseline="baselines/lfw.json",
                rules=["lfw.accuracy drop <= 0.3pt at 95%", "bytes <= 0.75 of baseline"],
            )
    """
    config = request.config
    return AccuracyGate(config.rootpath, config.getini(_BASELINE), config.getini(_RULES))


def _records(given: Any) -> list[Record]:
    """The records among what a test may pass."""
    from facebench.records.find import records_in

    if isinstance(given, (str, os.PathLike)):
        return [record for _, record in records_in(str(given))]
    if isinstance(given, Sequence):
        return [record for one in given for record in _records(one)]
    return [given]


def _judged(given: Any) -> tuple[list[Record], list[str]]:
    """As `_records`, of folders the newest of each model, and what of them is passed over."""
    from facebench.records.newest import newest_in

    if isinstance(given, (str, os.PathLike)):
        found = newest_in(str(given))
        return list(found.records), list(found.passed_over)
    if not isinstance(given, Sequence):
        return [given], []
    both = [_judged(one) for one in given]
    return [r for records, _ in both for r in records], [line for _, over in both for line in over]


def _of_model(records: list[Record], model: str | None) -> list[Record]:
    """Those of one model, or all; UserError: there is none."""
    from facebench.base.errors import UserError, nearest

    known = sorted({record.model.id for record in records})
    if model is not None and model not in known:
        raise UserError(
            f"accuracy_gate: no record of {model!r}{nearest(model, known)} (records of: "
            f"{', '.join(known)})"
        )
    return [record for record in records if model in (None, record.model.id)]
