# META.json is JSON, with the version of crm.control.
set -eu
make -s META.json PG_CONFIG="$PG_CONFIG"
version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" crm.control)
python3 -c '
import json, sys
meta = json.load(open("META.json"))
assert meta["version"] == meta["provides"]["crm"]["version"] == sys.argv[1], meta
' "$version"
