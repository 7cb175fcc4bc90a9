"""What ``import facebench`` offers: documented, lazy, typed, and with examples that run."""

from __future__ import annotations

import ast
import doctest
import inspect
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import facebench
from facebench.base.errors import Notice
from tests.helpers.small_lfw import small_lfw

NAMES = [name for name in facebench.__all__ if not name.startswith("__")]
SOURCE = ast.parse(Path(facebench.__file__).read_text("utf-8"))
HEAVY = ("numpy", "torch", "pandas", "pydantic", "scipy", "cv2", "rich", "typer", "sklearn")
FUNCTIONS = [name for name in NAMES if inspect.isroutine(getattr(facebench, name))]
CLASSES = [name for name in NAMES if name not in FUNCTIONS]


def imported_for_typing() -> dict[str, str]:
    """Name and module of what type checkers are told."""
    (block,) = (node for node in SOURCE.body if isinstance(node, ast.If))
    return {
        alias.name: str(node.module)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_what_is_public_is_what_type_checkers_see_and_is_where_it_says() -> None:
    told = imported_for_typing()
    assert sorted(told) == sorted(NAMES) and facebench.__all__ == sorted(facebench.__all__)
    for name, module in told.items():
        assert f"facebench.{facebench._WHERE[name]}" == module
        assert not isinstance(getattr(facebench, name), ModuleType)
    assert set(facebench._WHERE) == set(NAMES) <= set(dir(facebench))


def test_no_room_takes_the_place_of_what_is_public() -> None:
    """A room of the same name would be it, once it is imported."""
    rooms = {path.stem for path in Path(facebench.__file__).parent.iterdir()}
    assert not rooms & set(facebench.__all__)


def test_nothing_heavy_is_imported_before_it_is_asked_for() -> None:
    code = f"import sys, facebench; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_other_names_are_no_attributes() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'evaluat'"):
        _ = facebench.evaluat  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_say_what_they_take_give_and_refuse(name: str) -> None:
    function = getattr(facebench, name)
    said = inspect.getdoc(function) or ""
    wrong = "Raises" if underlined(said, "Raises") else "Warns"  # what leaves wrong files out
    expected = ["Parameters", "Returns", wrong, "Examples"]
    takes = list(inspect.signature(function).parameters)
    assert [s for s in expected if underlined(said, s)] == expected[not takes :]
    for taken in takes:
        own = inspect.signature(function).parameters[taken]
        fields = inspect.signature(facebench.Settings).parameters
        if taken not in fields or own.kind != own.KEYWORD_ONLY:
            assert f"\n{taken} : " in said or f"\n**{taken}" in said, f"{name} does not say {taken}"


@pytest.mark.parametrize("name", CLASSES)
def test_classes_have_an_example(name: str) -> None:
    assert underlined(inspect.getdoc(getattr(facebench, name)) or "", "Examples")


def underlined(text: str, section: str) -> bool:
    """Whether numpy's convention has a section."""
    return f"{section}\n{'-' * len(section)}\n" in text


@pytest.mark.shipped_results
@pytest.mark.parametrize("name", NAMES)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_lfw(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    shown = getattr(facebench, name)
    finder = doctest.DocTestFinder(recurse=False, exclude_empty=False)
    (test,) = finder.find(shown, name, module=False, globs={"data": data})
    assert test.examples
    wrong: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Notice)
        doctest.DocTestRunner().run(test, out=wrong.append)
    assert not wrong, "".join(wrong)


def test_settings_are_keywords_of_evaluate() -> None:
    fields = inspect.signature(facebench.Settings).parameters
    for function in (facebench.evaluate, facebench.evaluate_many):
        taken: Any = inspect.signature(function).parameters
        assert {name: one.default for name, one in fields.items()}.items() <= {
            name: one.default for name, one in taken.items()
        }.items()
