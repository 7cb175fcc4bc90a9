"""The log of a training as a picture."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.opening import read_bytes, reading
from facebench.figures.files import save_figure
from facebench.lab.laboratory.work_folder import name_in

FORMATS = (".png", ".svg", ".pdf")


def plot_log(log: Path, picture: Path) -> None:
    """Draw the losses of a ``log.csv`` over mini-batches; UserError where there is none."""
    if picture.suffix not in FORMATS:
        raise UserError(f"{picture}: pictures are {', '.join(FORMATS)}")
    names, steps, columns = read_log(log)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="mini-batches", ylabel="mean loss", title=name_in(log.parent))
    for name, values in zip(names, columns, strict=True):
        axes.plot(steps, values, label=name, marker="." if len(steps) < 20 else None)
    axes.grid(alpha=0.3)
    axes.legend()
    save_figure(figure, picture, dpi=150)


def read_log(log: Path) -> tuple[list[str], list[int], list[list[float]]]:
    """Names of the losses, mini-batches, and each loss's values; UserError where none is logged."""
    if not log.is_file():
        raise UserError(f"{log}: no log of a training there yet")
    text = read_bytes(log, "the log").decode("utf-8", errors="replace")
    with reading(log, "not the log of a training (any more)"):
        head, *rows = csv.reader(io.StringIO(text, newline=""))
        columns = [[float(row[i]) for row in rows] for i in range(1, len(head) - 1)]
        return head[1:-1], [int(row[0]) for row in rows], columns
