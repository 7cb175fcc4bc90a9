"""Which models are data and which are programs: what every command that loads one says of it."""

from __future__ import annotations

from typing import Annotated

import typer

KINDS = (
    "Weights with a card and ONNX files are data; .pt, .pt2 and package.module:factory are "
    "programs: run only what you trust."
)
UntrustedOption = Annotated[
    bool,
    typer.Option(
        "--untrusted",
        help="Take models that are data alone; refuse programs, without reading them.",
    ),
]
