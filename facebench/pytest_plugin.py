"""The pytest plugin: the fixture ``accuracy_gate``, for projects that test their pruning runs.

Every pytest start imports this module, so it imports nothing of facebench that takes time.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from facebench.gate.judge import GateResult
    from facebench.gate.named import GivenRules, Some
    from facebench.gate.rules import Undecided

_BASELINE, _RULES = "facebench_baseline", "facebench_rules"


class GateUndecidedWarning(UserWarning):
    """A rule that the comparisons are too few to decide."""


class AccuracyGate:
    """Called with records, it passes, fails the test, or warns that it cannot tell.

    Settings of pytest (``[tool.pytest.ini_options]``), paths from the root folder:
    ``facebench_baseline``, a record or a folder of them, or several, and ``facebench_rules``, a
    TOML file or the rules themselves, one a line.
    """

    def __init__(self, root: Path, baseline: Sequence[str], rules: Sequence[str]) -> None:
        self._root, self._baseline, self._rules = root, baseline, rules

    def __call__(
        self,
        records: Some,
        *,
        baseline: Some | None = None,
        rules: GivenRules | None = None,
        undecided: Undecided | None = None,
        model: str | None = None,
    ) -> GateResult:
        """Judge records by rules against a baseline; the test fails where a rule does.

        records: a record, its file, a folder of them, the name of a model that was evaluated, or
        several of these; baseline: likewise;
        rules: a TOML file, or a list of rules; None: those of pytest's settings. undecided:
        ``fail``, ``pass`` or ``report`` (a warning); None: the file's, or ``report``. model: judge
        only the records of this one, e.g. of a folder. Paths are from the working directory.
        UserError: input that is wrong, as of ``facebench gate``.
        """
        __tracebackhide__ = True
        from facebench.base.errors import UserError
        from facebench.gate.formats import render_gate
        from facebench.gate.named import judge

        try:
            result = judge(
                records,
                self._chosen_rules(rules),
                self._held(baseline),
                undecided=undecided,
                model=model,
            )
        except UserError as error:  # what a test gave is wrong: our own frames say nothing of it
            raise error.with_traceback(None) from None
        text = render_gate(result, "text")
        if result.outcome == "fail":
            pytest.fail(f"accuracy gate:\n{text}", pytrace=False)
        if result.outcome == "undecided":
            warnings.warn(GateUndecidedWarning(f"accuracy gate:\n{text}"), stacklevel=2)
        return result

    def _chosen_rules(self, rules: GivenRules | None) -> GivenRules:
        from facebench.base.errors import UserError

        if rules is not None:
            return rules
        if not self._rules:
            raise UserError(f"accuracy_gate: pass rules=, or set {_RULES} in pytest's settings")
        first, *others = self._rules
        return self._rules if others or "<=" in first or ">=" in first else self._root / first

    def _held(self, baseline: Some | None) -> Some:
        return [self._root / one for one in self._baseline] if baseline is None else baseline


def pytest_addoption(parser: pytest.Parser) -> None:
    """The settings: of lines, which a list in pyproject.toml is, too."""
    held = "facebench: the baseline's record, or a folder of them; or several, one a line"
    parser.addini(_BASELINE, held, type="linelist", default=[])
    rules = "facebench: the TOML file with the rules of accuracy_gate, or the rules, one a line"
    parser.addini(_RULES, rules, type="linelist", default=[])


def _setting(config: pytest.Config, name: str) -> list[str]:
    """The lines of a setting; in its table ``[tool.pytest]`` pytest takes no text for a list."""
    try:
        return [str(line) for line in config.getini(name)]
    except (TypeError, pytest.UsageError):
        said = f'{name}: write a list in pyproject.toml: {name} = ["..."]'
        raise pytest.fail.Exception(said, pytrace=False) from None


@pytest.fixture(scope="session")
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
    return AccuracyGate(config.rootpath, _setting(config, _BASELINE), _setting(config, _RULES))
