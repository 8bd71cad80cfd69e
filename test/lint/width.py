"""No line is wider than 100 columns, tabs at 4, what stands in quotes not counted.

Of SQL the comments, and the declarations of sql/api; elsewhere a row of a report's
select list may be long.  The tests' Perl is laid out by perltidy, the SQL in it is not.

A message in one line can be found by the text that a user reports.
"""
import pathlib
import re
import sys

WIDTH = 100
FOLDERS = ("src", "crm-mcp", "sql", "scripts")
QUOTED = {
    ".c": r'"(?:[^"\\]|\\.)*"',
    ".h": r'"(?:[^"\\]|\\.)*"',
    ".sql": r"'[^']*'",
    ".pl": r"""'[^']*'|"[^"]*\"""",
    ".pm": r"""'[^']*'|"[^"]*\"""",
    ".py": r'"[^"]*"',
    ".sh": r"""'[^']*'|"[^"]*\"""",
}



def unquoted_lines(path, text):
    """The lines without what is quoted; in SQL, a text may go on over several."""
    if path.parent == pathlib.Path("sql/api"):
        text = re.sub(QUOTED[".sql"], lambda quoted: "\n" * quoted[0].count("\n"), text)
        return text.splitlines()
    return [re.sub(QUOTED[path.suffix], "", line) for line in text.splitlines()]


faults = []
for folder in FOLDERS:
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.suffix not in QUOTED or path.match("crm--*.sql"):
            continue
        text = path.read_text().expandtabs(4)
        lines = zip(text.splitlines(), unquoted_lines(path, text))
        for number, (line, unquoted) in enumerate(lines, 1):
            if path.suffix == ".sql" and path.parent != pathlib.Path("sql/api") \
                    and not line.lstrip().startswith("--"):
                continue
            if len(line) > WIDTH and len(unquoted) > WIDTH:
                faults.append(f"{path}:{number}: {len(line)} columns: {line.strip()[:60]}")

print("\n".join(faults))
sys.exit(1 if faults else 0)
