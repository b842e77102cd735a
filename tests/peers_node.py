"""What servers of npm have in common, as tests/peers.py runs them: by Debian 12's Node, from the system or from a private root
(tests/readers.py chooses), with a folder of their own that both sides see."""
import uuid

import readers
from peers import ROOT, Script, namespace_init, run_as_root


class Noded(Script):
    """`inside` is `at` and `project` is ROOT, as the server sees them."""

    @classmethod
    def missing(cls):
        return readers.node()[2]

    def _prepare(self):
        self.node, self.project, _ = readers.node()
        self.rooted = self.project != ROOT
        if not self.rooted:
            super()._prepare()
            self.inside = self.at
            return
        name = f"{self.NAME}-{uuid.uuid4().hex[:12]}"
        self.at, self.inside = ROOT / "build/roots/node/inst" / name, f"/inst/{name}"
        run_as_root("mkdir", "-p", self.at)
        run_as_root("chown", f"{self.uid}:{self.gid}", self.at)

    def _kill(self):
        if not self.rooted:
            super()._kill()
        elif first := namespace_init(self.child.pid):
            run_as_root("kill", "-KILL", first, check=False)

    def _remove(self):
        run_as_root("rm", "-rf", self.at, check=False)
