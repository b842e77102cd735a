"""What all end-to-end tests share: where the programs are, and foreign servers."""
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import peers  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def build():
    """The build directory under test: TSUBAME_BUILD, else the release build."""
    return ROOT / os.environ.get("TSUBAME_BUILD", "build/release")


@pytest.fixture(scope="session")
def foreign():
    """The module with foreign servers; tests that ask for it are skipped where there can be none."""
    if peers.missing():
        pytest.skip(peers.missing())
    return peers
