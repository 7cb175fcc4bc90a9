"""facebench: is the smaller face-recognition model still as good, how sure are we, what did it
save?

From Python: ``facebench.evaluate(model, protocol, data)`` returns a `facebench.Record`, and
``facebench.compare(base, candidates)`` tells two of them apart. For scores without faces there are
`verification`, `identification` and `compare_scores`. What stands in ``__all__`` is public and
stays; everything below may move.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from facebench.base.threads import wait_passively
from facebench.base.version import __version__

if TYPE_CHECKING:
    from facebench.base.errors import UserError
    from facebench.comparison.calibration.threshold import threshold
    from facebench.comparison.compare import compare
    from facebench.comparison.groups.damage import compare_groups
    from facebench.comparison.history import history
    from facebench.comparison.methods import compare_methods
    from facebench.comparison.power import power
    from facebench.comparison.scores import compare_scores
    from facebench.costs.bench import bench
    from facebench.evaluation.evaluate import evaluate, evaluate_many
    from facebench.evaluation.scores import identification, verification
    from facebench.figures.degradation import degradation
    from facebench.figures.worst import worst
    from facebench.gate.named import judge
    from facebench.models.cards.card import list_models
    from facebench.models.embedders.options import ModelOptions
    from facebench.models.zoo import load_model
    from facebench.protocols.cards import list_protocols
    from facebench.protocols.settings import Settings
    from facebench.records.files import read_record, save_record
    from facebench.records.frames import frame
    from facebench.records.record import Record
    from facebench.reports.build import report

__all__ = [
    "ModelOptions",
    "Record",
    "Settings",
    "UserError",
    "__version__",
    "bench",
    "compare",
    "compare_groups",
    "compare_methods",
    "compare_scores",
    "degradation",
    "evaluate",
    "evaluate_many",
    "frame",
    "history",
    "identification",
    "judge",
    "list_models",
    "list_protocols",
    "load_model",
    "power",
    "read_record",
    "report",
    "save_record",
    "threshold",
    "verification",
    "worst",
]

_WHERE = {
    "ModelOptions": "models.embedders.options",
    "Record": "records.record",
    "Settings": "protocols.settings",
    "UserError": "base.errors",
    "bench": "costs.bench",
    "compare": "comparison.compare",
    "compare_groups": "comparison.groups.damage",
    "compare_methods": "comparison.methods",
    "compare_scores": "comparison.scores",
    "degradation": "figures.degradation",
    "evaluate": "evaluation.evaluate",
    "evaluate_many": "evaluation.evaluate",
    "frame": "records.frames",
    "history": "comparison.history",
    "identification": "evaluation.scores",
    "judge": "gate.named",
    "list_models": "models.cards.card",
    "list_protocols": "protocols.cards",
    "load_model": "models.zoo",
    "power": "comparison.power",
    "read_record": "records.files",
    "report": "reports.build",
    "save_record": "records.files",
    "threshold": "comparison.calibration.threshold",
    "verification": "evaluation.scores",
    "worst": "figures.worst",
}


wait_passively()  # before anything loads torch, which reads it once


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: ``facebench --help`` needs no torch."""
    if name not in _WHERE:
        raise AttributeError(f"module 'facebench' has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"facebench.{_WHERE[name]}"), name)
    if results := sys.modules.get("facebench.records.frames"):
        results.Shown.writer = _html
    return found


def _html(shown: Any) -> str:
    """A result in a notebook, by the writer of tables, which is imported only then."""
    from facebench.reports.notebook import html_of

    return html_of(shown)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
