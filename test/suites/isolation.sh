# The isolation tester: test/specs against expected.
set -eu
export PGISOLATIONTIMEOUT=300	# for a busy machine
# CRM_ISOLATION_TESTS names some of them, with spaces between.
make -s installcheck REGRESS= ${CRM_ISOLATION_TESTS:+ISOLATION="$CRM_ISOLATION_TESTS"} \
	with_llvm=no PG_CONFIG="$PG_CONFIG" || {
	sed "s|$PWD/||g" output_iso/regression.diffs
	exit 1
}
