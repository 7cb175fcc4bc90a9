"""facebench: is the smaller face-recognition model still as good, how sure are we, what did it
save?

From Python: ``facebench.evaluate(model, protocol, data)`` returns a `facebench.Record`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facebench.threads import wait_passively

if TYPE_CHECKING:
    from facebench.errors import UserError
    from facebench.evaluation import evaluate, evaluate_many
    from facebench.reporting.files import read_record, save_record
    from facebench.reporting.record import Record

__version__ = "0.1.0"
__all__ = [
    "Record",
    "UserError",
    "__version__",
    "evaluate",
    "evaluate_many",
    "read_record",
    "save_record",
]

_WHERE = {
    "Record": "facebench.reporting.record",
    "UserError": "facebench.errors",
    "evaluate": "facebench.evaluation",
    "evaluate_many": "facebench.evaluation",
    "read_record": "facebench.reporting.files",
    "save_record": "facebench.reporting.files",
}


wait_passively()  # before anything loads torch, which reads it once


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: ``facebench --help`` needs no torch."""
    if name not in _WHERE:
        raise AttributeError(f"module 'facebench' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), name)
