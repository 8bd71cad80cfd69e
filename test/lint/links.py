"""Every link of the documentation leads somewhere, and every page can be found.

A relative link names a file that is there, and its #anchor a heading of that page, as
GitHub derives anchors from headings.  docs/README.md lists each page of docs/, and each
page opens with a paragraph that tells what it is for.
"""
import pathlib
import re
import sys

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
HEADING = re.compile(r"^#+ +(.*?)\s*$", re.MULTILINE)

INDEX = pathlib.Path("docs/README.md")
PAGES = sorted({*pathlib.Path(".").glob("*.md"), *pathlib.Path("docs").glob("*.md"),
                pathlib.Path("test/README.md")})


def prose(path):
    """The text with its fenced blocks emptied, so that lines keep their numbers."""
    return FENCE.sub(lambda block: "\n" * block[0].count("\n"), path.read_text())


def anchors(path):
    found = {}
    for heading in HEADING.findall(prose(path)):
        text = re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        number = found.setdefault(slug, 0)
        found[slug] += 1
        if number:
            found[f"{slug}-{number}"] = 1
    return found


def fault_of(page, target):
    """What is wrong with a link of the page, or None."""
    if re.match(r"(https?|mailto):", target):
        return None
    name, _, anchor = target.partition("#")
    path = page.parent / name if name else page
    if not path.exists():
        return "no such file"
    if anchor and (path.suffix != ".md" or anchor not in anchors(path)):
        return "no such heading"
    return None


faults = []
for page in PAGES:
    for number, line in enumerate(prose(page).splitlines(), 1):
        for target in LINK.findall(CODE.sub(lambda code: "." * len(code[0]), line)):
            fault = fault_of(page, target)
            if fault:
                faults.append(f"{page}:{number}: {target}: {fault}")

listed = {(INDEX.parent / target.partition("#")[0]).name for target in LINK.findall(prose(INDEX))}
for page in PAGES:
    if page.parent == INDEX.parent:
        if page != INDEX and page.name not in listed:
            faults.append(f"{page}: {INDEX} does not list it")
        if not re.match(r"# .+\n\n(?!```)[^\n#|<\-]", page.read_text()):
            faults.append(f"{page}: opens with no paragraph that tells what it is for")

print("\n".join(faults))
sys.exit(1 if faults else 0)
