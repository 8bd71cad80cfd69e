# The pages of a CRM in Debian's Chromium, with axe-core from npm: test/page.
set -eu
: "${work:?}" "${src:?}"
modules=$work/page
mkdir "$modules"
cp test/page/*.mjs test/page/package*.json test/page/data.sql "$modules"
cd "$modules"
npm ci --no-audit --no-fund >&2
createdb page
psql -Xqv ON_ERROR_STOP=1 -d page -f data.sql >&2
# It wants a newer Node than that of Debian 12.
node_modules/.bin/node page.mjs page "$src"
