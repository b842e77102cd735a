#!/usr/bin/python3
"""Fetches what foreign servers, readers and the packages' test need, where it is not here yet; `make check` does it while
the compilers work. Ends well in any case: what can't be had, the tests that want it say."""
import subprocess

import peers
import readers

for kind in peers.ALL_KINDS:
    print(f"{kind}: {peers.missing(kind) or 'is here'}", flush=True)
for tool in {**readers.READERS, **readers.VERIFIERS}:
    print(f"{tool}: {readers.missing(tool) or 'is here'}", flush=True)
bare = subprocess.run([peers.ROOT / "tools/fresh-root", "--bare"], capture_output=True, text=True)  # for root alone, as its test
print(f"a bare Debian: {bare.stderr.strip() if bare.returncode else 'is here'}")
