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
    """The module with foreign servers, of which Postfix is there; tests that ask for it are skipped where it can't be."""
    if peers.missing("postfix"):
        pytest.skip(peers.missing("postfix"))
    return peers


@pytest.fixture(params=peers.KINDS)
def kind(request):
    """The name of each foreign server in turn."""
    if peers.missing(request.param):
        pytest.skip(f"{request.param}: {peers.missing(request.param)}")
    return request.param
