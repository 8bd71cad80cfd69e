# The folders of src/ include one another in one direction, and no two headers
# include each other: docs/architecture.md draws the levels.
import collections
import pathlib
import re
import sys

LEVELS = [
    ["base"],
    ["table"],
    ["summary", "stage"],
    ["history"],
    ["totals"],
    ["deal"],
    ["api", "install", "analytics", "import", "mcp"],
    ["module"],
]
LEVEL = {folder: n for n, level in enumerate(LEVELS) for folder in level}
INCLUDE = re.compile(r'^#include "((?:%s)/[^"]+)"' % "|".join(LEVEL), re.M)

src = pathlib.Path("src")
faults = []
includes = collections.defaultdict(set)

for path in sorted(src.rglob("*.[ch]")):
    name = path.relative_to(src).as_posix()
    folder = name.split("/")[0].removesuffix(".c")
    if folder not in LEVEL:
        faults.append(f"{name}: the folder has no level in test/lint/includes.py")
        continue
    for included in INCLUDE.findall(path.read_text()):
        if not (src / included).is_file():
            faults.append(f"{name}: no such file as {included}")
        includes[name].add(included)
        to = included.split("/")[0]
        if to != folder and LEVEL[to] >= LEVEL[folder]:
            faults.append(f"{name}: includes {included}, which is not of a lower level")


def module(name):
    return name.rsplit(".", 1)[0]


# A source and its header are one module.
graph = collections.defaultdict(set)
for name, included in includes.items():
    graph[module(name)] |= {module(i) for i in included} - {module(name)}

done = set()


def visit(name, path):
    if name in path:
        faults.append("a circle: " + " -> ".join(path[path.index(name):] + [name]))
        return
    if name in done:
        return
    for other in sorted(graph[name]):
        visit(other, path + [name])
    done.add(name)


for name in sorted(graph):
    visit(name, [])

print("\n".join(faults))
sys.exit(1 if faults else 0)
