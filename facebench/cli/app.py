"""The command ``facebench``: one small file per command, imported when it is the one that runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from facebench.base.errors import on_command_line
from facebench.cli.errors import bug, finish_undisturbed, importing, notices_shown
from facebench.cli.streams import prepare_streams

# Name, module with `app` (a group) or `command` (a function), and the line in `facebench --help`.
COMMANDS = (
    ("eval", "facebench.cli.commands.eval", "Evaluate models on protocols."),
    (
        "extract",
        "facebench.cli.commands.extract",
        "Embed faces beforehand, by as many processes as there are.",
    ),
    ("pairs", "facebench.cli.commands.pairs", "Walk all pairs, by as many processes as there are."),
    (
        "degrade",
        "facebench.cli.commands.degrade",
        "Evaluate models on faces that are small, JPEG, blurred or dark.",
    ),
    ("train", "facebench.cli.commands.train", "Train a dense network."),
    ("prune", "facebench.cli.commands.prune", "Make networks sparse, layer by layer."),
    (
        "compress",
        "facebench.cli.commands.compress",
        "Find the smallest network that passes a rule.",
    ),
    ("quantise", "facebench.cli.commands.quantise", "Round a model's weights to int8."),
    (
        "doctor",
        "facebench.cli.commands.doctor",
        "Find what is wrong with a network's input or output.",
    ),
    ("bench", "facebench.cli.commands.bench", "Measure what models cost to run, side by side."),
    ("export", "facebench.cli.commands.export", "Write a model as an ONNX or torch.export file."),
    ("distill", "facebench.cli.commands.distill", "Train a compact student on what teachers know."),
    ("models", "facebench.cli.commands.models", "List and show the models of the zoo."),
    ("protocols", "facebench.cli.commands.protocols", "List and show the protocols."),
    ("metric", "facebench.cli.commands.metric", "Learn a similarity for a model, and look at one."),
    (
        "report",
        "facebench.cli.commands.report",
        "Write the papers' tables from records, with what is missing.",
    ),
    (
        "compare",
        "facebench.cli.commands.compare",
        "Compare models, paired on the same comparisons.",
    ),
    (
        "worst",
        "facebench.cli.commands.worst",
        "Show a model's worst errors, and whom a smaller one hurts most.",
    ),
    (
        "power",
        "facebench.cli.commands.power",
        "How small a difference can be seen, and how many people would do.",
    ),
    (
        "threshold",
        "facebench.cli.commands.threshold",
        "Which threshold to deploy, and what it gives on other people.",
    ),
    (
        "groups",
        "facebench.cli.commands.groups",
        "Error rates by group, and who pays for a smaller model.",
    ),
    ("gate", "facebench.cli.commands.gate", "Pass or fail models by rules, against a baseline."),
    (
        "history",
        "facebench.cli.commands.history",
        "Accuracy against compression over a sequence of runs.",
    ),
    (
        "site",
        "facebench.cli.commands.site",
        "Write a leaderboard of records as static pages.",
    ),
    ("data", "facebench.cli.commands.data", "Get, list and check data sets of faces."),
    (
        "store",
        "facebench.cli.commands.store",
        "List, merge and clear the embeddings that are kept.",
    ),
    ("results", "facebench.cli.commands.results", "List, filter and open records."),
    ("verify", "facebench.cli.commands.verify", "Check a record's seal, and its numbers."),
    ("pack", "facebench.cli.commands.pack", "Put a record and its scores into one file."),
    ("schema", "facebench.cli.commands.schema", "Print the JSON schema of a record."),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends with SystemExit, whose codes are told in docs/use/exit-codes.md.

    arguments: of a call from Python; None: those of this process, which then has no other work.
    """
    if arguments is None:
        prepare_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with on_command_line(), notices_shown():
            with importing():
                from facebench.cli.build import build

                command = build(COMMANDS, _selected(given), completed=_completing())
            command(args=given, prog_name="facebench")
    except Exception as error:
        sys.exit(bug(error))
    finally:
        if arguments is None:
            finish_undisturbed()


def _completing() -> bool:
    """Whether it is a shell that asks, between two keys."""
    return "_FACEBENCH_COMPLETE" in os.environ


def _selected(given: Sequence[str]) -> str | None:
    """The command among the words that were typed."""
    if _completing():
        # As bash says it, or as the other shells do.
        words = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
        given = words.split()[1:]
    return next((word for word in given if not word.startswith("-")), None)
