"""The manual pages and the shells' completion, both made from the tables: judged by the programs that read them."""
import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest


@pytest.fixture
def programs(build):
    return build / "program/tsubame", build / "sim/tsubame-sim"


@pytest.fixture
def pages(programs, tmp_path):
    """All pages, as a MANPATH."""
    tsubame, sim = programs
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1767225600"}
    subprocess.run([tsubame, "manual", "--dir", tmp_path], check=True, env=env)
    (tmp_path / "man1/tsubame-sim.1").write_bytes(
        subprocess.run([sim, "manual"], check=True, env=env, capture_output=True).stdout)
    return tmp_path


def needs(name):
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")


def commands(tsubame):
    shown = subprocess.run([tsubame, "--help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  ([a-z-]+) +\S", shown.split("explains each")[0], re.M)


def test_every_command_has_a_page(programs, pages):
    names = {p.name for p in (pages / "man1").iterdir()}
    assert names == {"tsubame.1", "tsubame-sim.1"} | {f"tsubame-{c}.1" for c in commands(programs[0])}
    assert {p.name for p in (pages / "man5").iterdir()} == {"tsubame.yaml.5"}


def test_readers_find_nothing_to_complain_of(pages):
    needs("groff")
    needs("mandoc")
    for page in pages.glob("man*/*"):
        text = page.read_text()
        assert ".TH " in text.splitlines()[0] and "2026-01-01" in text.splitlines()[0]
        for reader in (["mandoc", "-Tlint", "-W", "warning"], ["groff", "-ww", "-man", "-Tutf8", "-k", "-z"]):
            done = subprocess.run([*reader, page], capture_output=True, text=True)
            assert (done.returncode, done.stdout + done.stderr) == (0, ""), f"{reader[0]}: {page.name}"


def plain(page):
    done = subprocess.run(["mandoc", "-Tutf8", "-O", "width=200", page], capture_output=True, text=True, check=True)
    return re.sub(r".\x08", "", done.stdout)


def test_what_is_read_is_what_the_tables_say(programs, pages):
    """Options, examples and keys arrive on the page as they must be typed."""
    needs("mandoc")
    for command in commands(programs[0]):
        shown = plain(pages / f"man1/tsubame-{command}.1")
        help_text = subprocess.run([programs[0], command, "--help"], capture_output=True, text=True, check=True).stdout
        options = re.findall(r"^ {2,6}(?:-\w, )?(--[a-z-]+)", help_text.split("Options:")[1].split("\n\n")[0], re.M)
        assert "--help" in options
        for option in options:
            assert re.search(rf"^ +(-\w, )?{option}( |$)", shown, re.M), f"{command} {option}"
        for line in help_text.split("Examples:\n")[1].split("\n\n")[0].splitlines():
            assert line.strip() in shown, f"{command}: {line}"
    keys = plain(pages / "man5/tsubame.yaml.5")
    manual = subprocess.run([programs[0], "config", "manual"], capture_output=True, text=True, check=True).stdout
    for key in re.findall(r"^#### `(.*)`$", manual, re.M):
        assert re.search(rf"^ +{re.escape(key)}$", keys, re.M), key


def test_man_finds_them(pages):
    needs("man")
    needs("mandb")
    env = {**os.environ, "MANPATH": str(pages), "LC_ALL": "C.UTF-8", "MANPAGER": "cat"}
    done = subprocess.run(["man", "--warnings", "tsubame-send"], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == "" and "TSUBAME-SEND(1)" in done.stdout


class Shell:
    """A shell on a terminal of its own, that is typed to."""

    def __init__(self, words, folder, programs):
        self.tabs = "\t\t" if words[0] == "bash" else "\t"  # it shows a list at the second one
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            env = {"PATH": f"{programs[0].parent}:/usr/bin:/bin", "HOME": str(folder), "TERM": "dumb", "PS1": "ready> ",
                   "LC_ALL": "C.UTF-8", "INPUTRC": "/dev/null", "ASAN_OPTIONS": "detect_leaks=0", "fish_greeting": ""}
            os.execvpe(words[0], words, env)

    def read(self, wanted=(), limit=20):
        """What is shown, until all of `wanted` is there and a moment longer."""
        got, end = "", time.monotonic() + limit
        while time.monotonic() < end:
            there = all(text in got for text in wanted)
            if not select.select([self.fd], [], [], 0.2 if there else 1)[0]:
                if there:
                    break
                continue
            try:
                got += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                break
            got = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x07|\r", "", got)
        return got

    def type(self, text):
        os.write(self.fd, text.encode())

    def completed(self, text, wanted):
        """What the shell shows for this line and tab; the line is given up."""
        self.type(text)
        self.read([text])
        self.type(self.tabs)
        shown = text + self.read([w.removeprefix(text) for w in wanted])
        self.type("\x15")
        self.read()
        return shown

    def close(self):
        os.close(self.fd)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


CASES = [
    # typed, what must be shown (what is typed and what is added, or words of a list), what must not
    ("tsubame dki", ["tsubame dkim-key"], ["serve"]),
    ("tsubame send --templ", ["tsubame send --template"], []),
    ("tsubame send --template ne", ["tsubame send --template news.yaml"], ["list.csv"]),
    ("tsubame send --to=li", ["tsubame send --to=list.csv"], []),
    ("tsubame backup fol", ["tsubame backup folder/"], []),
    ("tsubame config def", ["tsubame config defaults"], []),
    ("tsubame report aut", ["tsubame report autumn-news"], ["spring"]),
    ("tsubame report --set deliver.po", ["tsubame report --set deliver.port="], []),
    ("tsubame send --set tls.mode=op", ["tsubame send --set tls.mode=opportunistic"], []),
]


@pytest.fixture
def folder(programs, tmp_path):
    """Files to find, and a store with two campaigns."""
    (tmp_path / "news.yaml").write_text('from: "a@example.com"\nsubject: x\ntext: x\n')
    (tmp_path / "list.csv").write_text("email\na@none.invalid\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "tsubame.yaml").write_text("store.path: data\nmetrics.listen: off\ndns.servers: 127.0.0.1:9\n")
    for name in ("spring-news", "autumn-news"):
        subprocess.run([programs[0], "send", "-t", "news.yaml", "--to", "list.csv", "--name", name, "--hold"], cwd=tmp_path,
                       check=True, capture_output=True, timeout=60)
    return tmp_path


START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(tsubame completion bash); PS1='ready> '\n"),
    "zsh": (["zsh", "-f", "-i"], "PS1='ready> '; autoload -U compinit; compinit -u -D; source <(tsubame completion zsh)\n"),
    "fish": (["fish", "--no-config"], "tsubame completion fish | source\n"),
}


@pytest.mark.parametrize("shell", START)
def test_a_shell_completes(shell, programs, folder):
    needs(shell)
    words, setup = START[shell]
    it = Shell(words, folder, programs)
    try:
        it.type(setup.replace("\n", "; echo set''up\n"))
        assert "setup" in it.read(["\nsetup"])
        for typed, shown, hidden in CASES:
            got = it.completed(typed, shown)
            for text in shown:
                assert text in got, f"{typed!r}: {got!r}"
            for text in hidden:
                assert text not in got, f"{typed!r}: {got!r}"
    finally:
        it.close()


def test_completing_is_silent_and_quick_without_anything(programs, tmp_path):
    start = time.monotonic()
    done = subprocess.run([programs[0], "complete", "--", "report", ""], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "words\n", "")
    (tmp_path / "tsubame.yaml").write_text("no.such.key: 1\n")
    done = subprocess.run([programs[0], "complete", "--", "report", ""], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "words\n", "")
    assert time.monotonic() - start < 10
