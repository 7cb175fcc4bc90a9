"""The seal of a record: a digest over all that its file says, so that a changed number is told.

It tells what was changed by accident or by hand, not by somebody who makes a new seal for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from facebench.errors import UserError

SEAL = "seal"


def seal_of(values: Mapping[str, Any]) -> str:
    """SHA-256 of a record's JSON values without its seal, whatever their order and layout."""
    content = {name: value for name, value in values.items() if name != SEAL}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def require_seal(values: Mapping[str, Any], where: str, again: str) -> None:
    """UserError where values are not those that were sealed; a record of before has no seal.

    where: the file; again: what makes the record anew, e.g. ``facebench eval``.
    """
    seal = values.get(SEAL)
    if seal is not None and seal != seal_of(values):
        raise UserError(
            f"{where}: its seal is not that of its contents: the file was changed after it was "
            f"written; make it again with `{again}`"
        )
