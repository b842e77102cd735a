#!/usr/bin/python3
"""Makes the C source that carries text files: embed.py OUTPUT NAME HEADER FILE... defines NAME, an array of struct NAME, as
HEADER declares it, with the files in their order."""
import sys
from pathlib import Path


def main():
    output, name, header, files = Path(sys.argv[1]), sys.argv[2], sys.argv[3], [Path(file) for file in sys.argv[4:]]
    parts = [f'/* Made by rules/embed.py. */\n#include "{header}"\n']
    for number, path in enumerate(files):
        octets = path.read_bytes()
        rows = (octets[i:i + 24] for i in range(0, len(octets), 24))
        parts.append(f"static const unsigned char text_{number}[] = {{")
        parts.extend("    " + ", ".join(map(str, row)) + "," for row in rows)
        parts.append("};\n")
    parts.append(f"const struct {name} {name}[] = {{")
    parts.extend(f'    {{"{path.stem}", text_{number}, sizeof text_{number}}},' for number, path in enumerate(files))
    parts.append(f"}};\nconst size_t {name}_count = sizeof {name} / sizeof *{name};\n")
    output.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
