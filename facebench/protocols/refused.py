"""What the statistics refuse, in words for the user."""

from __future__ import annotations

import re

from facebench.errors import UserError

_FUNCTION = re.compile(r"\A[a-z_][a-z0-9_]*: ")  # statistics begin their errors with their name


def refused(protocol: str, error: ValueError) -> UserError:
    """A statistic's error as ``protocol NAME: ...``, without the function that it came from."""
    return UserError(f"protocol {protocol}: {_FUNCTION.sub('', str(error))}")
