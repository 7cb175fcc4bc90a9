"""Options of commands from the dataclasses that declare them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
import typer
from typer.testing import CliRunner

from facebench.base.options import ASIDE, HOW, MACHINE, Option, options_of
from facebench.cli.commands import eval as eval_command
from facebench.cli.options import takes
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.settings import Settings


@dataclass(frozen=True)
class Tea:
    """How tea is made."""

    leaves: Annotated[Literal["green", "black"], Option(HOW, "Of the bush.")] = "green"
    minutes: Annotated[int, Option(MACHINE, "In the pot.", bounds=(1, 9))] = 4
    cups: Annotated[int, Option(MACHINE, "Poured.", otherwise=lambda: 6)] = 1
    milk: Annotated[bool, Option(HOW, "None.", flags=("--no-milk",), off=True)] = True
    sugar: Annotated[
        tuple[int, int] | None, Option(HOW, "Lumps.", read=lambda flag, text: (int(text), 0))
    ] = None


def made(*arguments: str, said: Any = None) -> tuple[Any, dict[str, Any]]:
    given: dict[str, Any] = {}
    app = typer.Typer()

    @takes((ASIDE, HOW, MACHINE), said, tea=Tea)
    def brew(
        *,
        pot: Annotated[str, typer.Option(rich_help_panel="How")] = "brown",
        tea: Tea,
    ) -> None:
        """Brew."""
        given.update(pot=pot, tea=tea)

    app.command()(brew)
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "100"}), given


def test_defaults_are_those_of_the_dataclass_but_what_the_machine_says() -> None:
    _, given = made()
    assert given == {"pot": "brown", "tea": Tea(cups=6)}


def test_what_is_given_is_read() -> None:
    _, given = made(
        *("--leaves", "black", "--minutes", "3", "--cups", "2", "--no-milk", "--sugar", "2"),
        *("--pot", "blue"),
    )
    assert given == {"pot": "blue", "tea": Tea("black", 3, 2, False, (2, 0))}


@pytest.mark.parametrize("wrong", [("--leaves", "red"), ("--minutes", "0"), ("--minutes", "10")])
def test_what_the_types_refuse(wrong: tuple[str, str]) -> None:
    result, given = made(*wrong)
    assert result.exit_code == 2 and not given


def test_help_shows_groups_in_order_and_own_options_first() -> None:
    text = made("--help")[0].output
    places = [text.index(f"--{name}") for name in ("pot", "leaves", "no-milk", "sugar", "minutes")]
    assert places == sorted(places) and text.count("─ How ─") == 1
    assert "[default: 4]" in text and "[1<=x<=9]" in text and "default: 6" not in text


def test_some_fields_in_other_words() -> None:
    text = made("--help", said={"leaves": Option(HOW, "Of what is picked."), "cups": None})[
        0
    ].output
    assert "Of what is picked." in text and "Poured." in text and "--minutes" not in text


@pytest.mark.parametrize("kind", [Settings, ModelOptions])
def test_every_option_of_an_evaluation_is_on_the_command_line(kind: type) -> None:
    taken = eval_command.command.__annotations__
    assert {field.parameter for field in options_of(kind)} <= set(taken)
