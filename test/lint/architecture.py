"""Each file that docs/architecture.md names is there.

A path is in the project's folder or in src/; a bare name follows a path of its folder.
Names with a word in capitals stand for others, and folders of upgrades come with a release.
"""
import pathlib
import re
import sys

PAGE = pathlib.Path("docs/architecture.md")
NAME = re.compile(r"`([a-z][\w./-]*/[\w.-]+\.(?:awk|c|h|js|md|mjs|out|pl|pm|py|sh|sql))`")

faults = []
for number, line in enumerate(PAGE.read_text().splitlines(), 1):
    for name in NAME.findall(line):
        if not re.search(r"[A-Z]{2}|A--B", name) \
                and not any(pathlib.Path(folder, name).exists() for folder in (".", "src")):
            faults.append(f"{PAGE}:{number}: there is no {name}")
print("\n".join(faults))
sys.exit(1 if faults else 0)
