# pg_regress: test/sql against expected.  Here and in the other suites, the
# working folder, the server and the variables are those of scripts/check.sh.
set -eu
make -s installcheck ISOLATION= with_llvm=no PG_CONFIG="$PG_CONFIG" || {
	cat regression.diffs
	exit 1
}
