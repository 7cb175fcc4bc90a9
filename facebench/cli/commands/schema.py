"""``facebench schema``: the JSON schema of a record."""

from __future__ import annotations

import typer


def command() -> None:
    """Print the JSON schema of a record. Example: facebench schema > record.schema.json"""
    from facebench.records.record import schema_json

    typer.echo(schema_json().decode(), nl=False)
