"""Released scripts are frozen, and every released version can be upgraded.

sql/released holds the scripts of released versions.  Each has the checksum in
SHA256SUMS and, where git and the tag of its version are at hand, the content
that was tagged.  The scripts of the version in crm.control may change until it
is released; afterwards what is built must be what was released.  From every
released version updates (of the extension) and migrations (of a CRM's tables)
lead to this one; a migration that was released is frozen, too.
"""
import glob
import hashlib
import os
import re
import subprocess
import sys

FOLDER = "sql/released"
SUMS = f"{FOLDER}/SHA256SUMS"
VERSION = r"[0-9]+(?:\.[0-9]+)*"

problems = []


def key(version):
    return [int(number) for number in version.split(".")]


def read(path):
    with open(path, "rb") as handle:
        return handle.read()


def checksums():
    """The names in SHA256SUMS, and their sums."""
    if not os.path.exists(SUMS):
        return {}
    sums = {}
    for line in read(SUMS).decode().splitlines():
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](crm--[0-9.]+(?:--[0-9.]+)?\.sql)", line)
        if match is None or match[2] in sums:
            problems.append(f"{SUMS}: not a line of a checksum, or twice: {line}")
        else:
            sums[match[2]] = match[1]
    return sums


def tagged(path, version):
    """The file in the tag of that version; None where that cannot be told."""
    try:
        # The sources under test are a copy, without its history.
        command = ["git", "-c", "safe.directory=*", "-C", os.environ.get("CRM_TOP", "."),
                   "show", f"v{version}:{path}"]
        answer = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return None
    return answer.stdout if answer.returncode == 0 else None


def check_frozen(sums):
    names = {os.path.basename(path) for path in glob.glob(f"{FOLDER}/crm--*.sql")}
    for name in sorted(names ^ set(sums)):
        problems.append(f"{FOLDER}/{name}: " + ("no checksum" if name in names else "missing"))
    for name in sorted(names & set(sums)):
        content = read(f"{FOLDER}/{name}")
        if hashlib.sha256(content).hexdigest() != sums[name]:
            problems.append(f"{FOLDER}/{name}: changed since it was released")
        version = re.search(rf"({VERSION})\.sql$", name)[1]
        original = tagged(f"{FOLDER}/{name}", version)
        if original is not None and original != content:
            problems.append(f"{FOLDER}/{name}: not what v{version} has")


def check_current(version):
    """What is built of a version that was released is what was released."""
    for path in glob.glob(f"{FOLDER}/crm--*.sql"):
        match = re.fullmatch(rf"crm--(?:({VERSION})--)?{re.escape(version)}\.sql", os.path.basename(path))
        if match is None:
            continue
        command = ["sh", "sql/build.sh", version] + ([match[1]] if match[1] else [])
        built = subprocess.run(command, capture_output=True, check=False)
        if built.returncode != 0 or built.stdout != read(path):
            problems.append(f"{path}: the sources have changed; raise default_version in crm.control")


def steps(folder):
    """The pairs of versions that files of a folder lead from and to."""
    found = set()
    for path in glob.glob(f"{folder}/*.sql"):
        match = re.fullmatch(rf"(?:crm--)?({VERSION})--({VERSION})\.sql", os.path.basename(path))
        if match is not None and key(match[1]) < key(match[2]):
            found.add((match[1], match[2]))
        elif folder != FOLDER:
            problems.append(f"{path}: the name is not FROM--TO.sql, of an earlier and a later version")
    return found


def check_migrations():
    for path in glob.glob("sql/migrations/*.sql"):
        text = read(path)
        target = os.path.basename(path)[:-len(".sql")].split("--")[-1]
        frozen = f"{FOLDER}/crm--{target}.sql"
        if b"@VERSION@" in text:
            problems.append(f"{path}: @VERSION@ would change with each release; write the version")
        if os.path.exists(frozen) and text not in read(frozen):
            problems.append(f"{path}: changed since it was released")


def check_paths(released, version, found, what):
    """From every released version a chain of steps leads to this one."""
    reached = {version}
    while True:
        more = {start for start, end in found if end in reached} - reached
        if not more:
            break
        reached |= more
    for start in sorted(set(released) - reached, key=key):
        problems.append(f"{what}: no way from {start} to {version}")


def main():
    with open("crm.control", encoding="utf-8") as handle:
        version = re.search(r"(?m)^default_version *= *'(.*)'", handle.read())[1]
    released = [re.fullmatch(rf"crm--({VERSION})\.sql", name)[1] for name in os.listdir(FOLDER)
                if re.fullmatch(rf"crm--{VERSION}\.sql", name)] if os.path.isdir(FOLDER) else []
    if any(key(one) > key(version) for one in released):
        problems.append(f"crm.control: {version} is older than a released version")
    check_frozen(checksums())
    check_current(version)
    check_migrations()
    updates = steps("sql/updates") | steps(FOLDER)
    check_paths(released, version, updates, "sql/updates")
    check_paths(released, version, steps("sql/migrations"), "sql/migrations")


main()
print("\n".join(problems))
sys.exit(bool(problems))
