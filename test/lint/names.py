"""A test's file is named by its topic: a folder of src/, then what is tested.

Other topics are what no folder of src/ does alone.  pg_regress and the isolation
tester share the folder of what is expected, so no two of theirs have one name.
"""
import collections
import pathlib
import sys

OTHER = {"docs", "examples", "operations"}
TESTS = ("sql/*.sql", "specs/*.spec", "pgtap/*.sql", "t/*.pl")

topics = OTHER | {folder.name for folder in pathlib.Path("src").iterdir() if folder.is_dir()}
faults = []
expected = collections.Counter()

for pattern in TESTS:
    for path in sorted(pathlib.Path("test").glob(pattern)):
        if path.stem.split("_")[0] not in topics:
            faults.append(f"{path}: begins with no topic ({', '.join(sorted(topics))})")
        if pattern.startswith("s"):
            expected[path.stem] += 1

faults += [f"test/sql and test/specs both have a test {name}" for name, n in expected.items() if n > 1]
faults += [f"{path}: no test has this output" for path in sorted(pathlib.Path("expected").glob("*.out"))
           if path.stem not in expected]
print("\n".join(faults))
sys.exit(1 if faults else 0)
