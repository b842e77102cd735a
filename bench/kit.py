"""Measuring programs: CPU of all their threads, memory under a limit, bytes written."""
import os
import platform
import resource
import threading
import time
from pathlib import Path


class Cgroup:
    """A control group of its own for a process and all its children: v2, or v1's memory and cpuacct, or none.

    Where none can be made `kind` is None: then memory is not limited, and the bench says so.
    """

    def __init__(self, name, memory_mb=None):
        self.paths, self.kind = [], None
        base = Path("/sys/fs/cgroup")
        name = f"tsubame-{name}-{os.getpid()}"
        try:
            if (base / "cgroup.controllers").exists():
                # A group below the one of this process may not be had; the root's children may.
                if "memory" not in (base / "cgroup.subtree_control").read_text():
                    (base / "cgroup.subtree_control").write_text("+memory +cpu")
                self._make(base / name)
                if memory_mb:
                    (base / name / "memory.max").write_text(str(memory_mb << 20))
                    if (base / name / "memory.swap.max").exists():
                        (base / name / "memory.swap.max").write_text("0")
                self.kind = "v2"
            else:
                for part in ("memory", "cpuacct"):
                    self._make(base / part / name)
                if memory_mb:
                    (base / "memory" / name / "memory.limit_in_bytes").write_text(str(memory_mb << 20))
                self.kind = "v1"
        except OSError:
            self.remove()

    def _make(self, path):
        path.mkdir()
        self.paths.append(path)

    def enter(self):
        """In the child, before exec."""
        for path in self.paths:
            (path / "cgroup.procs").write_text(str(os.getpid()))

    def cpu_s(self):
        if self.kind == "v2":
            return int((self.paths[0] / "cpu.stat").read_text().split()[1]) / 1e6
        return int((self.paths[1] / "cpuacct.usage").read_text()) / 1e9 if self.kind == "v1" else None

    def processes(self):
        return [int(p) for p in (self.paths[0] / "cgroup.procs").read_text().split()] if self.paths else []

    def remove(self):
        for path in self.paths:
            for _ in range(50):
                try:
                    path.rmdir()
                    break
                except OSError:
                    time.sleep(0.1)
        self.paths, self.kind = [], None


def anonymous_bytes(pid):
    """Memory of the process that no file backs: not what LMDB maps."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    return 0


def written_bytes(pid):
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["write_bytes"])


class Sampler(threading.Thread):
    """Looks at a process ten times a second; keeps the peak of its anonymous memory and the last of its writes."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.written, self.ended = pid, 0, 0, threading.Event()
        self.start()

    def look(self):
        self.peak = max(self.peak, anonymous_bytes(self.pid))
        self.written = written_bytes(self.pid)

    def run(self):
        while not self.ended.wait(0.1):
            try:
                self.look()
            except (OSError, ProcessLookupError):
                return

    def stop(self):
        self.ended.set()
        self.join()


def wait_with_cpu(child, limit_s):
    """Waits for a child: exit code, and the CPU seconds of all its threads, kernel time too."""
    until = time.monotonic() + limit_s
    while True:
        pid, status, used = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode, used.ru_utime + used.ru_stime
        if time.monotonic() > until:
            child.kill()
            os.wait4(child.pid, 0)
            child.returncode = -9
            raise TimeoutError(f"not done after {limit_s} s")
        time.sleep(0.01)


def raise_file_limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "memory_mb": memory, "kernel": platform.release(),
            "load_before": os.getloadavg()[0]}
