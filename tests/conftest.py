"""What all end-to-end tests share: where the programs are, and foreign servers."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import common  # noqa: E402
import peers  # noqa: E402
from common import ROOT, laboratory  # noqa: E402


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


@pytest.fixture
def lab(request, tmp_path, build):
    """The fake internet (the module's SCENARIO if it has one) and a Tsubame that is quick to try again."""
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(getattr(request.module, "SCENARIO", common.SCENARIO))
    with laboratory.Lab(tmp_path / "lab", scenario, build) as it:
        it.template.write_text(laboratory.TEMPLATE)
        it.configure(**common.FAST)
        yield it


@pytest.fixture
def bare(tmp_path, build):
    """Without an internet: for all that fails before it is needed."""
    class Bare:
        program = build / "program/tsubame"

        def run(self, *args, stdin=None, env=None):
            return subprocess.run([self.program, *map(str, args)], cwd=tmp_path, capture_output=True, text=True,
                                  timeout=120, stdin=subprocess.DEVNULL if stdin is None else None, input=stdin,
                                  env={**os.environ, "TSUBAME_CONFIG": "", **(env or {})})

        def write(self, name, text):
            (tmp_path / name).write_text(text)
            return tmp_path / name

    bare = Bare()
    bare.folder = tmp_path
    bare.write("t.yaml", laboratory.TEMPLATE.replace("{{city}}", "here").replace("{{company}}", "x")
               .replace("{{amount}}", "1"))
    return bare
