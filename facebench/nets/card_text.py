"""Model cards as TOML that a person reads; the standard library only reads TOML."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from facebench.nets.cards import ModelCard

_WIDTH = 96
_NEVER_WRAPPED = ("weights", "output", "file")
_TABLES = ("sparsity", "region", "preprocessing", "training", "source", "metric", "projection")


def card_text(card: ModelCard) -> str:
    """The TOML of a card: reading it gives the card again; empty fields are left out."""
    fields = card.model_dump(exclude_none=True)
    members, regions = fields.pop("members"), fields.pop("regions")
    if members:
        del fields["preprocessing"]  # each member has its own
    lines = [_line(k, v) for k, v in fields.items() if k not in _TABLES and v != ""]
    if members:
        lines += ["", "members = [", *(f"    {_inline(member)}," for member in members), "]"]
        lines += ["", "[regions]", *(f"{_key(k)} = {_inline(v)}" for k, v in regions.items())]
    for table in _TABLES:
        rows = {k: v for k, v in (fields.get(table) or {}).items() if v not in ("", ())}
        if rows:
            lines += ["", f"[{table}]", *(_line(k, v) for k, v in rows.items())]
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    used = 0 if key in _NEVER_WRAPPED else len(key) + 3
    return f"{_key(key)} = {_value(value, used)}"


def _inline(rows: dict[str, Any]) -> str:
    return "{ " + ", ".join(f"{key} = {_value(value, 0)}" for key, value in rows.items()) + " }"


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").isalpha() else json.dumps(key)


def _value(value: Any, used: int) -> str:
    if isinstance(value, str):
        return _text(value, used)
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_value(item, 0) for item in value) + "]"
    return repr(value)


def _text(text: str, used: int) -> str:
    quoted = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    if not used or used + len(quoted) <= _WIDTH:
        return quoted
    inner = textwrap.wrap(quoted[1:-1], _WIDTH, break_long_words=False, break_on_hyphens=False)
    return '"""\n' + "\n".join(inner) + '"""'
