"""Records as one Parquet file: the frame of `facebench.frame`, a row for every statistic."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from facebench.base.errors import UserError
from facebench.records.frames import frame
from facebench.records.record import Record


def parquet(records: Sequence[Record], name: str) -> Mapping[str, bytes]:
    """``name.parquet``; UserError: pyarrow, which writes it, is not installed."""
    try:
        import pyarrow  # noqa: F401 - pandas asks for it by name
    except ImportError:
        raise UserError(
            "Parquet is written by pyarrow, which is not installed; install facebench[parquet], "
            "or ask for --format csv"
        ) from None
    buffer = io.BytesIO()
    frame(records).to_parquet(buffer, engine="pyarrow", index=False)
    return {f"{name}.parquet": buffer.getvalue()}
