#!/usr/bin/python3
"""Makes package-lock.json anew from package.json, after a version there was changed.

Registry addresses are left out. So are packages that nothing here asks for: those that others name as optional, and what
Haraka names for building parts that the tests do without.
"""
import json
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK = HERE / "package-lock.json"
NOT_ASKED_FOR = {"Haraka": {"node-gyp", "npid"}}


def found_from(packages, place, name):
    """Where a package at `place` finds another one, as Node looks for it."""
    while True:
        candidate = f"{place}/node_modules/{name}".lstrip("/")
        if candidate in packages:
            return candidate
        if not place:
            return None
        place = place[:max(place.rfind("/node_modules/"), 0)]


def trim(packages):
    kept, todo = {}, [""]
    while todo:
        place = todo.pop()
        if place in kept:
            continue
        package = kept[place] = packages[place]
        package.pop("optionalDependencies", None)
        package.pop("hasInstallScript", None)
        for name in NOT_ASKED_FOR.get(place.rpartition("node_modules/")[2], ()):
            package["dependencies"].pop(name, None)
        todo += filter(None, (found_from(packages, place, name) for name in package.get("dependencies", {})))
    return {place: kept[place] for place in packages if place in kept}


def main():
    subprocess.run(["npm", "install", "--package-lock-only", "--omit-lockfile-registry-resolved", "--no-audit", "--no-fund"],
                   cwd=HERE, check=True)
    lock = json.loads(LOCK.read_text())
    lock["packages"] = trim(lock["packages"])
    LOCK.write_text(json.dumps(lock, indent=2) + "\n")


if __name__ == "__main__":
    main()
