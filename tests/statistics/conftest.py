"""The brute-force definitions beside the tests, importable in every pytest import mode."""

import sys
from pathlib import Path

# Not a package: `tests/statistics/__init__.py` could hide the standard library's `statistics`.
sys.path.insert(0, str(Path(__file__).parent))
