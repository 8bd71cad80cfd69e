#!/bin/sh
# Runs the tests against a private PostgreSQL and closes with the line
# "N passed, N failed".  Fails if a test failed, or if a suite ran none.
#
#	scripts/check.sh [suite ...]
#
# A suite is a script of test/suites; without arguments all of them run.
# PG_CONFIG chooses the PostgreSQL.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/server.sh
. "$top/scripts/server.sh"

all_suites="lint regress isolation pgtap tap mcp nginx demo versions"
# shellcheck disable=SC2086 # a list of words
[ $# -gt 0 ] || set -- $all_suites
needs=server
for suite
do
	[ -f "$top/test/suites/$suite.sh" ] || die "no suite $suite; there are: $all_suites"
	case $suite in
		regress | isolation | pgtap | tap) ;;
		*) needs='test' ;;
	esac
done

# Counts the tests in the output of a suite: passed, failed, skipped.  It reads
# TAP (without what subtests print) and the lines of PostgreSQL 15's pg_regress.
count()
{
	awk '
		/^(not )?ok .*# *(SKIP|TODO|skip|todo)/ { skipped++; next }
		/^ok / || /^(test|    ) .* \.\.\. ok / { passed++ }
		/^not ok / || /^(test|    ) .* \.\.\. FAILED/ { failed++ }
		END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

run_suite()			# some run as the caller, the rest as the server's owner
{
	case $1 in
		lint | demo | versions) sh "$top/test/suites/$1.sh" ;;
		*) (cd "$src" && as_server sh "test/suites/$1.sh") ;;
	esac
}

total_passed=0
total_failed=0

check_suite()			# runs one suite and adds its counts to the totals
{
	log=$work/$1.log
	started=$(date +%s)
	status=0
	run_suite "$1" >"$log" 2>&1 </dev/null || status=$?
	# shellcheck disable=SC2046 # three numbers
	set -- "$1" $(count "$log")
	passed=$2
	failed=$3
	# What broke down need not have said so in the form of a test.
	if [ "$failed" -eq 0 ] && [ $((status + (passed + $4 == 0))) -ne 0 ]
	then
		failed=1
	fi
	if [ "$failed" -gt 0 ]
	then
		echo "---- $1 (exit status $status)"
		grep -v '^ok ' "$log" || echo "(no output)"
		echo "----"
	fi
	total_passed=$((total_passed + passed))
	total_failed=$((total_failed + failed))
	echo "$1: $passed passed, $failed failed, $4 skipped ($(($(date +%s) - started)) s)"
}

"$top/scripts/setup.sh" "$needs"
server_prepare
server_start local

# What the suites need beside libpq's variables.
sales_csv=$top/../shared/data/sales_pipeline.csv
if [ -r "$sales_csv" ]
then
	cp "$sales_csv" "$work/sales_pipeline.csv"
	chown "$server_user" "$work/sales_pipeline.csv"
	CRM_SALES_CSV=$work/sales_pipeline.csv
	export CRM_SALES_CSV
fi
TMPDIR=$work/tmp
mkdir -m 1777 "$TMPDIR"
CRM_TOP=$top
PG_CONFIG=$pg_config
PATH=$bin:$PATH
export TMPDIR CRM_TOP PG_CONFIG PATH src work

echo "PostgreSQL: $("$pg_config" --version)"
for suite
do
	check_suite "$suite"
done

echo "$total_passed passed, $total_failed failed"
[ "$total_failed" -eq 0 ]
