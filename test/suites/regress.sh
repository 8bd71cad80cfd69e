# pg_regress: test/sql against expected.  Here and in the other suites, the
# working folder, the server and the variables are those of scripts/check.sh.
set -eu
# CRM_REGRESS_TESTS names some of them, with spaces between.
make -s installcheck ISOLATION= ${CRM_REGRESS_TESTS:+REGRESS="$CRM_REGRESS_TESTS"} \
	with_llvm=no PG_CONFIG="$PG_CONFIG" || {
	# Relative, so that "patch -p0" in the project's folder accepts what was printed.
	sed "s|$PWD/||g" regression.diffs
	exit 1
}
