"""A command line that was typed wrongly, as one line with the nearest right word."""

from __future__ import annotations

import re
from typing import Any

from facebench.errors import nearest

# Words of pydantic, which checks the bounds of numbers, and plain ones.
_PLAIN = (
    ("Value error, ", ""),
    ("Input should be greater than or equal to", "must be at least"),
    ("Input should be less than or equal to", "must be at most"),
    ("Input should be greater than", "must be above"),
    ("Input should be less than", "must be below"),
    ("Input should be", "must be"),
)


def usage_line(error: Exception) -> str | None:
    """``no such option: --dta (did you mean '--data'?); see facebench eval --help``.

    Empty where the help itself was printed; None for an error that is not one of usage.
    """
    # Known by what they have: Typer carries the classes of Click within itself, or imports them.
    message = getattr(error, "message", None)
    if not hasattr(error, "format_message") or not isinstance(message, str):
        return None
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoSuchOption":
        hint = _option(str(getattr(error, "option_name", "")), context)
    else:
        message, _, said = error.format_message().partition(" Did you mean ")
        hint = f"did you mean {said}" if said else _choice(message)
    for found, plain in _PLAIN:
        message = message.replace(found, plain)
    text = " ".join(message.split()).rstrip(".")
    text = text[:1].lower() + text[1:] + (f" ({hint})" if hint else "")
    return f"{text}; see {context.command_path} --help" if context else text


def _option(given: str, context: Any) -> str:
    """The nearest option of the command."""
    known = [name for option in context.command.params for name in option.opts] if context else []
    long = [name for name in known if name.startswith("--")]
    return nearest(given, long).lstrip("; ") if given.startswith("--") else ""


def _choice(message: str) -> str:
    """The nearest choice where a value ``is not one of`` several."""
    before, is_choice, after = message.partition(" is not one of ")
    given = re.findall(r"'([^']*)'", before)
    if not is_choice or not given:
        return ""
    return nearest(given[-1], re.findall(r"'([^']*)'", after)).lstrip("; ")
