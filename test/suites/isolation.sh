# The isolation tester: test/specs against expected.
set -eu
export PGISOLATIONTIMEOUT=300	# for a busy machine
make -s installcheck REGRESS= with_llvm=no PG_CONFIG="$PG_CONFIG" || {
	cat output_iso/regression.diffs
	exit 1
}
