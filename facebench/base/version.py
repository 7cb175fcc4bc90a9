"""The version of facebench, and that of torch without the seconds that its import takes."""

from __future__ import annotations

import sys

__version__ = "0.1.0"


def torch_version() -> str:
    """``torch.__version__``."""
    if "torch" in sys.modules:
        return str(sys.modules["torch"].__version__)
    # Late: every start of pytest imports this module.
    from importlib.util import find_spec, module_from_spec, spec_from_file_location
    from pathlib import Path

    found = find_spec("torch")
    if found is None or found.origin is None:
        raise ImportError("facebench needs torch")
    spec = spec_from_file_location("torch_version", Path(found.origin).with_name("version.py"))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.__version__)
