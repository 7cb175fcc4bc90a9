"""Wrong cards and records: one line of plain words with file and field."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from facebench.base.errors import UserError
from facebench.base.validation import read_toml, validated


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Circle(Strict):
    kind: Literal["circle"] = "circle"
    radius: Annotated[float, Field(gt=0, le=10)]


class Square(Strict):
    kind: Literal["square"] = "square"
    side: Annotated[int, Field(ge=1, lt=5)]


class Drawing(Strict):
    name: Annotated[str, Field(min_length=1, max_length=8, pattern="^[a-z]+$")] = "x"
    shape: Annotated[Circle | Square, Field(discriminator="kind")] = Circle(radius=1)
    others: dict[str, Square] = {}
    notes: Annotated[tuple[str, ...], Field(max_length=2)] = ()
    size: int | float | str = 1
    shown: bool = True
    colour: Literal["red", "green"] = "red"

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name == "void":
            raise ValueError("no name 'void'; did you mean 'avoid'?")
        return name

    @model_validator(mode="after")
    def _named(self) -> Drawing:
        if self.name == "nobody":
            raise ValueError("nobody draws")
        return self


CIRCLE = {"kind": "circle", "radius": 1}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": 3}, "field 'name': must be text, not 3"),
        ({"name": ""}, "field 'name': must have 1 or more characters, not ''"),
        ({"name": "X"}, "field 'name': must be written as ^[a-z]+$, not 'X'"),
        ({"name": "nobody"}, "here: nobody draws"),
        ({"name": "void"}, "field 'name': no name 'void'; did you mean 'avoid'?"),
        ({"notes": "x"}, "field 'notes': must be a list, not 'x'"),
        ({"notes": ["a", 1]}, "field 'notes.1': must be text, not 1"),
        ({"notes": ["a", "b", "c"]}, "field 'notes': must hold 2 or fewer, not ['a', 'b', 'c']"),
        ({"shown": "perhaps"}, "field 'shown': must be true or false, not 'perhaps'"),
        ({"size": None}, "field 'size': must be a whole number or a number or text, not null"),
        ({"colour": "gren"}, "must be 'red' or 'green', not 'gren'; did you mean 'green'?"),
        ({"shape": {"kind": "sqare"}}, "field 'shape.kind': must be one of 'circle', 'square', not "
         "'sqare'; did you mean 'square'?"),
        ({"shape": {"radius": 1}}, "field 'shape.kind' is missing"),
        ({"shape": 1}, "field 'shape': must be a table of fields, not 1"),
        ({"shape": {"kind": "circle", "radius": 0}}, "radius': must be above 0, not 0"),
        ({"shape": {"kind": "circle", "radius": 11}}, "radius': must be at most 10"),
        ({"shape": {"kind": "circle", "radius": float("nan")}}, "must be a finite number, not nan"),
        ({"shape": {"kind": "square", "side": 1.5}}, "side': must be a whole number, not 1.5"),
        ({"shape": {"kind": "square", "side": 5}}, "side': must be below 5, not 5"),
        ({"shape": {"kind": "square", "side": 0}}, "side': must be at least 1, not 0"),
        ({"shape": {"kind": "square", "sied": 1}}, "; did you mean 'side'? (fields: kind, side)"),
        ({"others": {"a": {"sied": 1}}}, "unknown field 'others.a.sied'; did you mean 'side'?"),
        ({"others": []}, "field 'others': must be a table of fields, not []"),
        ({"sise": 1}, "unknown field 'sise'; did you mean 'size'? (fields: name, shape"),
        ([], "here: must be a table of fields, not []"),
    ],
)  # fmt: skip
def test_plain_words(values: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        validated(Drawing, values, "here")
    text = str(caught.value)
    assert text.startswith("here: ") and said in text and "\n" not in text
    for leak in ("Input", "valid", "Extra", "Value error", "should"):
        assert leak not in text
    assert not text.endswith("?, not 'void'")


def test_a_card_saved_on_windows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "card.toml"
    path.write_bytes(b"\xef\xbb\xbfname = 'x'\r\n")
    assert read_toml(path) == {"name": "x"}


def test_a_misspelling_comes_before_what_it_leaves_out() -> None:
    with pytest.raises(UserError, match=r"unknown field 'shape.circle.radios'.*and 1 more"):
        validated(Drawing, {"shape": {"kind": "circle", "radios": 1}}, "here")
