"""Records as files that other programs read: Parquet, every-eval-ever, Hugging Face."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

from facebench.records.exchange.every_eval_ever import every_eval_ever
from facebench.records.exchange.hugging_face import eval_results, model_index
from facebench.records.exchange.paper import protocols_bib, values_tex
from facebench.records.exchange.parquet import parquet
from facebench.records.record import Record

ExchangeFormat = Literal[
    "parquet", "every-eval-ever", "model-index", "eval-results", "values", "bibtex"
]  # fmt: skip
EXCHANGE_FORMATS: tuple[ExchangeFormat, ...] = get_args(ExchangeFormat)
FileContents = Mapping[str, bytes]
_WRITERS: Mapping[ExchangeFormat, Callable[[Sequence[Record], str], FileContents]] = {
    "parquet": parquet,
    "every-eval-ever": every_eval_ever,
    "model-index": model_index,
    "eval-results": eval_results,
    "values": values_tex,
    "bibtex": protocols_bib,
}


def exchanged(format: ExchangeFormat, records: Sequence[Record], name: str) -> FileContents:
    """Bytes of the files of a format by their relative paths; ValueError: no such format.

    name: of the one file of formats that have one. UserError: a package is missing, which is named
    with the extra that installs it.
    """
    if format not in _WRITERS:
        raise ValueError(f"{format!r} is none of {', '.join(EXCHANGE_FORMATS)}")
    return _WRITERS[format](records, name)
