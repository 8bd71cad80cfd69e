# Shell scripts are clean under shellcheck.
set -eu
find . -name '*.sh' -o -path './.ci/run' | xargs shellcheck -x -s sh
