"""No line is wider than 100 columns, tabs at 4, what stands in quotes not counted.

Of SQL the comments only: a row of a report's select list may be long.

A message in one line can be found by the text that a user reports.
"""
import pathlib
import re
import sys

WIDTH = 100
FOLDERS = ("src", "crm-mcp", "sql", "scripts", "test/perl")
QUOTED = {
    ".c": r'"(?:[^"\\]|\\.)*"',
    ".h": r'"(?:[^"\\]|\\.)*"',
    ".sql": r"'[^']*'",
    ".pl": r"""'[^']*'|"[^"]*\"""",
    ".pm": r"""'[^']*'|"[^"]*\"""",
    ".py": r'"[^"]*"',
    ".sh": r"""'[^']*'|"[^"]*\"""",
}

faults = []
for folder in FOLDERS:
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.suffix not in QUOTED or path.match("crm--*.sql"):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            line = line.expandtabs(4)
            if path.suffix == ".sql" and not line.lstrip().startswith("--"):
                continue
            if len(line) > WIDTH and len(re.sub(QUOTED[path.suffix], "", line)) > WIDTH:
                faults.append(f"{path}:{number}: {len(line)} columns: {line.strip()[:60]}")

print("\n".join(faults))
sys.exit(1 if faults else 0)
