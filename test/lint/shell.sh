# Shell scripts are clean under shellcheck.
set -eu
find . \( -name '*.sh' -o -path ./.ci/run \) -exec shellcheck -x -s sh {} +
