#!/usr/bin/python3
"""Makes the C source that carries the rules: embed.py OUTPUT FILE.rules... (their order is the order of trial)."""
import sys
from pathlib import Path


def main():
    output, files = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    parts = ['/* Made of rules/ by rules/embed.py. */\n#include "ruleset.h"\n']
    for number, path in enumerate(files):
        octets = path.read_bytes()
        rows = (octets[i:i + 24] for i in range(0, len(octets), 24))
        parts.append(f"static const unsigned char text_{number}[] = {{")
        parts.extend("    " + ", ".join(map(str, row)) + "," for row in rows)
        parts.append("};\n")
    parts.append("const struct rules_builtin rules_builtin[] = {")
    parts.extend(f'    {{"{path.stem}", text_{number}, sizeof text_{number}}},' for number, path in enumerate(files))
    parts.append("};\nconst size_t rules_builtin_count = sizeof rules_builtin / sizeof *rules_builtin;\n")
    output.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
