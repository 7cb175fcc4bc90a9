"""Records in a folder, for commands that need no model."""

from __future__ import annotations

from pathlib import Path

from facebench.records.files import save_record
from tests.helpers.records import drawn_record


def save_three(folder: Path, per_kind: int = 60) -> dict[str, Path]:
    """base, as good and worse, in a folder; their files by model."""
    made = {}
    for number, (name, strength) in enumerate((("base", 3.5), ("as_good", 3.5), ("worse", 2.2))):
        record = drawn_record(
            name,
            seed=number,
            strength=strength,
            per_kind=per_kind,
            draws=20,
            created=f"2026-01-0{number + 1}T00:00:00+00:00",
            weights=f"{number}" * 64,
        )
        made[name] = save_record(record, folder)
    return made
