"""tools/floors finds what it is there to find."""
import subprocess
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[1] / "tools/floors"
GOOD = {
    "base/slice.h": "", "base/slice.c": '#include "slice.h"\n#include <string.h>\n', "base/meson.build": "",
    "queue/row.h": '#include "slice.h"\n', "queue/row.c": '#include "row.h"\n#include <lmdb.h>\n',
    "queue/meson.build": "queue = declare_dependency(dependencies: [base])\n",
    "smtp/reply.h": "", "sim/sim.c": '#include "slice.h"\n',
}
BAD = [
    ("base/slice.c", '#include "row.h"\n', "row.h of queue/, which is not below it"),
    ("smtp/reply.h", '#include "row.h"\n', "row.h of queue/, which is not below it"),
    ("sim/sim.c", '#include "row.h"\n', "row.h of queue/, which is not below it"),
    ("smtp/slice.h", "", "a header of this name is in base/ too"),
    ("queue/other.c", "#include <lmdb.h>\n", "<lmdb.h> is included in 2 files"),
    ("queue/row.h", "#include <lmdb.h>\n", "a header includes the third-party header <lmdb.h>"),
    ("queue/row.c", '#include "gone.h"\n', "gone.h, which no folder has"),
    ("base/meson.build", "base = declare_dependency(dependencies: [queue])\n", "names queue, which is not below base"),
]


def floors(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return subprocess.run([TOOL, root], capture_output=True, text=True)


def test_a_good_tree(tmp_path):
    done = floors(tmp_path, GOOD)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name,text,words", BAD, ids=[b[2] for b in BAD])
def test_an_offence(tmp_path, name, text, words):
    done = floors(tmp_path, {**GOOD, name: text})
    assert done.returncode == 1 and words in done.stdout
