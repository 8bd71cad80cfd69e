#!/bin/sh
# Writes docs/page.png, the picture of the README: what the demo's page of the example
# looks like in Debian's Chromium.
#
#	scripts/picture.sh
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"$top/scripts/setup.sh"
"$top/scripts/demo.sh" --page="$tmp/page.html" "$top/examples/sample_pipeline.csv" >/dev/null
# Root's Chromium has no sandbox; the page is our own.
HOME=$tmp chromium --headless --no-sandbox --hide-scrollbars --window-size=1200,640 \
	--screenshot="$tmp/page.png" "file://$tmp/page.html"
cp "$tmp/page.png" "$top/docs/page.png"
