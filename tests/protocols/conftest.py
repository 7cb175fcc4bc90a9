"""The folders that tests of the faces write serve here too, in every pytest import mode."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faces"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "similarity"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
