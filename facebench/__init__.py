"""facebench: is the smaller face-recognition model still as good, how sure are we, what did it
save?

From Python: ``facebench.evaluate(model, protocol, data)`` returns a `facebench.Record`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facebench.base.threads import wait_passively
from facebench.base.version import __version__

if TYPE_CHECKING:
    from facebench.base.errors import UserError
    from facebench.evaluation.evaluate import evaluate, evaluate_many
    from facebench.records.files import read_record, save_record
    from facebench.records.record import Record

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
    "compare_scores": "facebench.comparison.scores",
    "frame": "facebench.records.frames",
    "identification": "facebench.evaluation.scores",
    "verification": "facebench.evaluation.scores",
    "Record": "facebench.records.record",
    "UserError": "facebench.base.errors",
    "evaluate": "facebench.evaluation.evaluate",
    "evaluate_many": "facebench.evaluation.evaluate",
    "read_record": "facebench.records.files",
    "save_record": "facebench.records.files",
}


wait_passively()  # before anything loads torch, which reads it once


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: ``facebench --help`` needs no torch."""
    if name not in _WHERE:
        raise AttributeError(f"module 'facebench' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), name)
