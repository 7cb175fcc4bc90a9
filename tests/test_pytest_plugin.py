"""The fixture ``accuracy_gate`` in a project of its own."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import scipy.special  # noqa: F401  as those below

import facebench.gate.formats
import facebench.gate.judge
import facebench.statistics.verification  # noqa: F401  pytester drops what it imports itself
from tests.helpers.record_folders import save_three

pytest_plugins = "pytester"

RULE = "lfw.accuracy drop <= {}pt at 95%"
INSTALLED = any(e.value == "facebench.pytest_plugin" for e in entry_points(group="pytest11"))
TEST = """
def test_model(accuracy_gate):
    result = accuracy_gate({record!r}, baseline={base!r}, rules={rules!r}{more})
    assert result.code == {code}
"""


@pytest.fixture
def records(pytester: pytest.Pytester) -> dict[str, Path]:
    return save_three(pytester.path / "kept")


def run(pytester: pytest.Pytester, *more: str) -> pytest.RunResult:
    plugin = () if INSTALLED else ("-p", "facebench.pytest_plugin")
    return pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", *plugin, *more)


def write(
    pytester: pytest.Pytester, records: dict[str, Path], model: str, bound: str, more: str = "",
    code: int = 0,
) -> None:  # fmt: skip
    pytester.makepyfile(
        TEST.format(
            record=str(records[model]),
            base=str(records["base"]),
            rules=[RULE.format(bound)],
            more=more,
            code=code,
        )
    )


def test_a_model_that_is_as_good_passes(
    pytester: pytest.Pytester, records: dict[str, Path]
) -> None:
    write(pytester, records, "base", "0.3")
    run(pytester).assert_outcomes(passed=1)


def test_a_worse_model_fails_with_the_verdict_and_no_traceback(
    pytester: pytest.Pytester, records: dict[str, Path]
) -> None:
    write(pytester, records, "worse", "0.3")
    result = run(pytester)
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "FAIL       worse: lfw.accuracy drop <= 0.3pt at 95%" in text
    assert "gate_judge.py" not in text


def test_an_undecided_one_warns_fails_or_passes(
    pytester: pytest.Pytester, records: dict[str, Path]
) -> None:
    write(pytester, records, "as_good", "0.3", code=3)
    result = run(pytester)
    result.assert_outcomes(passed=1, warnings=1)
    assert "GateUndecidedWarning" in result.stdout.str()
    write(pytester, records, "as_good", "0.3", more=", undecided='fail'")
    run(pytester).assert_outcomes(failed=1)
    write(pytester, records, "as_good", "0.3", more=", undecided='pass'")
    run(pytester).assert_outcomes(passed=1)


def test_settings_name_the_baseline_and_the_rules(
    pytester: pytest.Pytester, records: dict[str, Path]
) -> None:
    base = records["base"].relative_to(pytester.path)
    pytester.makeini(f"[pytest]\nfacebench_baseline = {base}\nfacebench_rules = gates.toml\n")
    (pytester.path / "gates.toml").write_text(f'rules = ["{RULE.format(0.3)}"]\n')
    pytester.makepyfile(
        f"""
        from facebench.records.files import read_record

        def test_same(accuracy_gate):
            accuracy_gate(read_record(__import__("pathlib").Path({str(records["base"])!r})))

        def test_worse(accuracy_gate):
            accuracy_gate([{str(records["worse"])!r}])
        """
    )
    run(pytester).assert_outcomes(passed=1, failed=1)


def test_one_model_of_a_folder(pytester: pytest.Pytester, records: dict[str, Path]) -> None:
    base, rule = str(records["base"]), RULE.format("0.3")
    pytester.makepyfile(
        f"""
        def judged(accuracy_gate, model):
            return accuracy_gate("kept", baseline={base!r}, rules=[{rule!r}], model=model)

        def test_same(accuracy_gate):
            assert [v.model for v in judged(accuracy_gate, "base").verdicts] == ["base"]

        def test_worse(accuracy_gate):
            judged(accuracy_gate, "worse")

        def test_misspelt(accuracy_gate):
            judged(accuracy_gate, "wors")
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=1, failed=2)
    assert "no record of 'wors'; did you mean 'worse'?" in result.stdout.str()


def test_without_rules_the_error_says_where_to_write_them(
    pytester: pytest.Pytester, records: dict[str, Path]
) -> None:
    pytester.makepyfile(f"def test_it(accuracy_gate): accuracy_gate({str(records['base'])!r})")
    result = run(pytester)
    result.assert_outcomes(failed=1)
    assert "pass rules=, or set facebench_rules" in result.stdout.str()


def test_several_come_in_any_kind_and_a_gate_at_any_scope(
    pytester: pytest.Pytester, records: dict[str, Path]
) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        RULE, BASE = {RULE.format("0.3")!r}, {str(records["base"])!r}

        @pytest.fixture(scope="session")
        def gate(accuracy_gate):
            return accuracy_gate

        @pytest.mark.parametrize("kind", [iter, set, tuple, lambda one: one[0]])
        def test_each(gate, kind):
            result = gate(kind([BASE]), baseline=kind([BASE]), rules=kind([RULE]))
            assert [verdict.outcome for verdict in result.verdicts] == ["pass"]
        """
    )
    run(pytester).assert_outcomes(passed=4)


@pytest.mark.parametrize(
    "settings",
    [
        '[tool.pytest.ini_options]\nfacebench_rules = ["{rule}"]\nfacebench_baseline = ["{base}"]',
        '[tool.pytest.ini_options]\nfacebench_rules = "{rule}"\nfacebench_baseline = "{base}"',
    ],
)
def test_rules_may_stand_in_the_settings(
    pytester: pytest.Pytester, records: dict[str, Path], settings: str
) -> None:
    base = records["base"].relative_to(pytester.path)
    pytester.makepyprojecttoml(settings.format(rule=RULE.format(0.3), base=base))
    pytester.makepyfile(
        f"""
        def test_same(accuracy_gate):
            accuracy_gate({str(records["base"])!r})

        def test_worse(accuracy_gate):
            accuracy_gate({str(records["worse"])!r})
        """
    )
    run(pytester).assert_outcomes(passed=1, failed=1)


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest 9 reads [tool.pytest]")
def test_pytests_own_table_takes_lists_and_a_text_is_one_line(
    pytester: pytest.Pytester, records: dict[str, Path]
) -> None:
    base = records["base"]
    pytester.makepyfile(f"def test_it(accuracy_gate): accuracy_gate({str(base)!r})")
    pytester.makepyprojecttoml('[tool.pytest]\nfacebench_rules = ["lfw.accuracy >= 0.6"]')
    run(pytester).assert_outcomes(passed=1)
    pytester.makepyprojecttoml('[tool.pytest]\nfacebench_rules = "gates.toml"')
    result = run(pytester)
    result.assert_outcomes(errors=1)
    assert 'write a list in pyproject.toml: facebench_rules = ["..."]' in result.stdout.str()
    assert len(result.outlines) < 12


WRONG = {
    "[], rules=RULES": "a gate needs at least one record",
    "5, rules=RULES": "records is 5; it must be one or several",
    "None, rules=RULES": "records is None; it must be one or several",
    "[{}], rules=RULES": "{} is no record; give a Record",
    "'nowhere.json', rules=RULES": "nowhere.json: cannot be read: No such file",
    "BASE, rules=[]": "a gate needs at least one rule",
    "BASE, rules=[1]": "rules: 1 is no rule",
    "BASE, rules=['lfw.accuracy > 1']": "cannot be read; write e.g.",
    "BASE, rules=RULES, undecided='never'": "undecided is 'never'",
}


def test_wrong_input_is_one_line_without_our_own_frames(
    pytester: pytest.Pytester, records: dict[str, Path]
) -> None:
    head = f"RULES, BASE = ['lfw.accuracy >= 0.6'], {str(records['base'])!r}\n"
    tests = [
        f"def test_{n}(accuracy_gate):\n    accuracy_gate({call})\n" for n, call in enumerate(WRONG)
    ]
    pytester.makepyfile(head + "\n".join(tests))
    result = run(pytester)
    result.assert_outcomes(failed=len(WRONG))
    errors = [line for line in result.outlines if line.startswith("E ")]
    for told, error in zip(WRONG.values(), errors, strict=True):
        assert f"UserError: {told}" in error or told in error
    assert len(result.outlines) < 14 * len(WRONG)


def test_the_plugin_imports_nothing_slow() -> None:
    code = (
        "import sys, facebench.pytest_plugin; "
        "print([n for n in ('numpy', 'torch', 'pydantic', 'scipy', 'matplotlib') "
        "if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True
    )
    assert done.stdout.strip() == "[]"
