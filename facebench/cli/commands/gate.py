"""``facebench gate``: a build that fails when accuracy falls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from facebench.base.errors import UserError
from facebench.cli.errors import importing
from facebench.cli.output import (
    OutputOption,
    require_folder,
    require_outputs,
    require_own_markdown,
    write,
    write_or_add,
)
from facebench.gate.formats import GateFormat

_WHAT, _UPDATE, _RESULT = "What is judged", "Moving a baseline", "Result"


def command(
    records: Annotated[
        list[str], typer.Argument(help="Record files, folders of them, or evaluated models.")
    ],
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline",
            "-b",
            rich_help_panel=_WHAT,
            help="A record's file, a folder with one per protocol, or an evaluated model.",
        ),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=_WHAT,
            help='TOML: rules = ["lfw.accuracy drop <= 0.3pt at 95%", "bytes <= 0.75 of baseline"]',
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            "-p",
            rich_help_panel=_WHAT,
            help="Of models named by name; may be repeated, for a record of each.",
        ),
    ] = None,
    found_in: Annotated[
        list[Path] | None,
        typer.Option("--records", rich_help_panel=_WHAT, help="Folders to find models' records."),
    ] = None,
    undecided: Annotated[
        Literal["fail", "pass", "report"] | None,
        typer.Option(
            rich_help_panel=_WHAT,
            help="What too few comparisons make of a rule; default: the rules', or report "
            "(exit code 3).",
        ),
    ] = None,
    update: Annotated[
        bool,
        typer.Option("--update", rich_help_panel=_UPDATE, help="Make the records the baseline."),
    ] = False,
    reason: Annotated[
        str, typer.Option(rich_help_panel=_UPDATE, help="Why; kept beside the baseline.")
    ] = "",
    other_data: Annotated[
        bool,
        typer.Option(
            "--other-data",
            rich_help_panel=_UPDATE,
            help="Even to other data, comparisons or settings than before.",
        ),
    ] = False,
    format: Annotated[GateFormat, typer.Option(rich_help_panel=_RESULT)] = "text",
    output: OutputOption = None,
    junit: Annotated[
        Path | None, typer.Option(rich_help_panel=_RESULT, help="Write JUnit XML here, too.")
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=_RESULT,
            help="Write Markdown here, too; added to $GITHUB_STEP_SUMMARY where it is that file.",
        ),
    ] = None,
) -> None:
    """Pass or fail models by rules. Exit code 0: pass, 1: fail, 3: undecided, 2: wrong input.

    Example: facebench gate --baseline baselines --rules gates.toml records/lfw
    """
    files: dict[str, Path | None] = {"--output": output, "--junit": junit, "--markdown": markdown}
    require_outputs(files)
    if markdown is not None:
        require_own_markdown(markdown)
    if update:
        if any(files.values()):
            raise UserError("--update has no result to write; leave --output, --junit, --markdown")
        _update(baseline or [], rules, records, protocol, found_in, reason, other_data)
        return
    if rules is None:
        raise UserError("name the rules with --rules gates.toml")
    if reason or other_data:
        option = "--reason" if reason else "--other-data"
        raise UserError(f"{option} is of --update; add --update, or leave {option} out")
    with importing():
        from facebench.gate.formats import render_gate
        from facebench.gate.named import judge
    result = judge(
        records,
        rules,
        baseline or [],
        undecided=undecided,
        protocol=protocol or None,
        found_in=found_in or [],
    )
    write_or_add(render_gate(result, format), output)
    if junit is not None:
        write(render_gate(result, "junit"), junit, shown=True)
    if markdown is not None:
        write_or_add(render_gate(result, "md"), markdown, shown=True)
    raise typer.Exit(result.code)


def _update(
    baseline: list[str],
    rules: Path | None,
    records: list[str],
    protocol: list[str] | None,
    found_in: list[Path] | None,
    reason: str,
    other_data: bool,
) -> None:
    from facebench.gate.named import newest_named, protocols_named
    from facebench.gate.update import update_baselines

    if rules is not None:
        raise UserError("--update judges nothing; leave --rules out")
    if len(baseline) != 1 or not baseline[0]:
        raise UserError("--update needs one --baseline: the file or folder that is moved")
    path = Path(baseline[0])
    if not path.is_file():
        require_folder(path.parent if path.suffix == ".json" else path, "--baseline")
    given, _ = newest_named(records, protocols_named(protocol), found_in or [])
    moves = update_baselines(path, given, reason, other_data=other_data)
    write("".join(f"{move.line}\n" for move in moves), None)
