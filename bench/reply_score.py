#!/usr/bin/python3
"""How well `tsubame classify-reply` reads a collection of labelled replies.

    bench/reply_score.py [--program build/tsubame] [--folder ../shared/corpora/smtp-responses] [--show] [--rules FILE]

The folder holds labels.tsv and taxonomy.tsv. The program sees stage and reply of each row and nothing else. Three
figures, in percent:

    group          rows whose class is of the group of the row's class (of any of them, where it names several)
    no_false_hard  rows labelled soft that are not called hard; rows without a label of hardness are not scored,
                   and rows without a code of their own are scored like any other
    hard_found     rows labelled hard that are called hard

--show lists what went wrong, and which groups are taken for which.
"""
import argparse
import collections
import csv
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT.parent / "shared/corpora/smtp-responses"


class Absent(Exception):
    """The collection is not here."""


def rows_of(path):
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def verdicts(program, rows, more=()):
    lines = "".join(f"{row['stage']}\t{row['response']}\n" for row in rows)
    done = subprocess.run([program, "classify-reply", *more], input=lines.encode("utf-8", "surrogateescape"),
                          capture_output=True, timeout=120)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[:1500])
    said = [line.split("\t") for line in done.stdout.decode(errors="replace").splitlines()]
    if len(said) != len(rows):
        raise RuntimeError(f"{len(said)} verdicts for {len(rows)} rows")
    return said


class Score:
    def __init__(self, program, folder=FOLDER, more=()):
        folder = Path(folder)
        if not (folder / "labels.tsv").exists():
            raise Absent(f"the collection of replies is not here: {folder}")
        group = {row["class"]: row["group"] for row in rows_of(folder / "taxonomy.tsv")}
        self.rows = rows_of(folder / "labels.tsv")
        self.wrong, self.false_hard, self.missed = [], [], []
        self.confusion = collections.Counter()
        soft = hard = 0
        for row, said in zip(self.rows, verdicts(program, self.rows, more)):
            meant = {group[name] for name in row["class"].split("|")}
            pair = (row["class"], said[0])
            self.confusion[pair] += 1
            if group[said[0]] not in meant:
                self.wrong.append((row, said))
            soft += row["hardness"] == "soft"
            hard += row["hardness"] == "hard"
            if row["hardness"] == "soft" and said[1] == "hard":
                self.false_hard.append((row, said))
            if row["hardness"] == "hard" and said[1] != "hard":
                self.missed.append((row, said))
        self.group = 100 * (1 - len(self.wrong) / len(self.rows))
        self.no_false_hard = 100 * (1 - len(self.false_hard) / soft)
        self.hard_found = 100 * (1 - len(self.missed) / hard)

    def show(self):
        for title, pairs in (("another group", self.wrong), ("called hard, but soft", self.false_hard),
                             ("hard, but not called so", self.missed)):
            print(f"--- {title}: {len(pairs)}")
            for row, said in pairs:
                print(f"{row['class']}/{row['hardness']} at {row['stage']}: {said[0]}/{said[1]} by '{said[3]}'\n"
                      f"    {row['response'][:300]}")
        print("--- class: taken for")
        taken = collections.defaultdict(list)
        for (meant, said), count in sorted(self.confusion.items()):
            taken[meant].append(f"{said} {count}")
        for meant, said in sorted(taken.items()):
            print(f"{meant}: " + ", ".join(said))


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--program", default=str(ROOT / "build/tsubame"))
    args.add_argument("--folder", default=str(FOLDER))
    args.add_argument("--rules", help="a file of rules to try before the built-in ones")
    args.add_argument("--show", action="store_true")
    given = args.parse_args()
    try:
        score = Score(given.program, given.folder, ["--rules", given.rules] if given.rules else [])
    except Absent as e:
        print(f"skipped: {e}")
        return 77
    if given.show:
        score.show()
    print(f"rows {len(score.rows)}  group {score.group:.1f}  no_false_hard {score.no_false_hard:.1f}  "
          f"hard_found {score.hard_found:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
