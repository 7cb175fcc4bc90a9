"""What a model takes, as numbers that every command shows alike."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True)
class Cost:
    """What a model takes; None: not known.

    parameters: each once, however many layers share it; kept: of weights with two or more axes
    those that are not zero, and all others; ratio: of kept to the parameters of the network that it
    was made of. bytes: of the file as it stands; packed_bytes, packed_int8_bytes: of what
    ``facebench pack`` writes, in float16 and int8. multiply_adds: of one pass of one face, and
    without those of weights that are zero. remarks: what was not counted, and why.
    """

    parameters: int | None = None
    kept: int | None = None
    ratio: float | None = None
    bytes: int | None = None
    packed_bytes: int | None = None
    packed_int8_bytes: int | None = None
    multiply_adds: int | None = None
    kept_multiply_adds: int | None = None
    remarks: tuple[str, ...] = ()

    @classmethod
    def sum(cls, parts: list[Self]) -> Self:
        """Of several networks that work together, which have no ratio; None where one is."""
        counted = [field.name for field in fields(cls) if field.name not in ("ratio", "remarks")]
        values = {name: [getattr(part, name) for part in parts] for name in counted}
        return cls(
            **{name: None if None in found else sum(found) for name, found in values.items()},
            remarks=tuple(dict.fromkeys(line for part in parts for line in part.remarks)),
        )
