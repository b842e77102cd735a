"""npm's packages for the tests are pinned, whole, from no certain place, and made for Debian 12's Node 18."""
import json
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "npm"
LOCKED = json.loads((FOLDER / "package-lock.json").read_text())["packages"]


def test_versions_are_exact():
    wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    assert wanted == LOCKED[""]["dependencies"] and list(wanted) == sorted(wanted)
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version) and LOCKED[f"node_modules/{name}"]["version"] == version


def test_packages_are_known_by_their_sum_not_their_place():
    for name, package in LOCKED.items():
        assert not name or (package["integrity"].startswith("sha512-") and "resolved" not in package), name


def test_all_run_on_node_18():
    for name, package in LOCKED.items():
        wants = package.get("engines", {}).get("node", "*")
        majors = [int(m[1]) for m in re.finditer(r"(?:>=?|\^) ?v?(\d+)", wants)]
        assert not majors or min(majors) <= 18, (name, wants)
