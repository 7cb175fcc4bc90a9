"""What is read of files once, while a page is made that asks for the same ones again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Given = ParamSpec("Given")
Found = TypeVar("Found")
_KEPT: ContextVar[dict[Any, Any] | None] = ContextVar("kept", default=None)


@contextmanager
def files_as_they_are() -> Iterator[None]:
    """Around work during which no card changes: functions that are `kept` answer once for the same
    arguments. Inside of another one it is that one's.
    """
    if _KEPT.get() is not None:
        yield
        return
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def kept(function: Callable[Given, Found]) -> Callable[Given, Found]:
    """The function, whose answers are kept within `files_as_they_are`; elsewhere it is as it was.

    Its arguments must be hashable, and nobody may change what it returns. Errors are not kept.
    """

    @wraps(function)
    def asked(*args: Given.args, **kwargs: Given.kwargs) -> Found:
        answers = _KEPT.get()
        if answers is None:
            return function(*args, **kwargs)
        key = function, args, tuple(sorted(kwargs.items()))
        if key not in answers:
            answers[key] = function(*args, **kwargs)
        found: Found = answers[key]
        return found

    return asked
