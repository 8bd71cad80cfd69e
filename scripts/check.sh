#!/bin/sh
# Runs the tests against a private PostgreSQL and closes with the line
# "N passed, N failed".  Fails if a test failed, or if a suite ran none.
#
#	scripts/check.sh [suite ...]
#
# A suite is a script of test/suites; without arguments all of them run, as many
# at once as there are processors (JOBS chooses another number).  They share no
# state: each has a copy of the built sources and, if it needs one, a server of its
# own.  What a suite says is printed when it ends.  PG_CONFIG chooses the PostgreSQL.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/server.sh
. "$top/scripts/server.sh"

# The longest first.  The minutes are those of two idle processors, without a cache of
# what was compiled.
all_suites="versions-17 versions-18 tap sanitized package pgtap mcp clients page lint regress isolation demo nginx"

# A suite that says nothing for this many times its minutes, and five more, hangs: it is
# ended, and fails.  So long, as the machine may be busy with other things.
patience=${CRM_PATIENCE:-10}

minutes()
{
	case $1 in
		versions*) echo 8 ;;
		tap | package) echo 5 ;;
		sanitized | analysis | demo | lint) echo 3 ;;
		pgtap | mcp | clients) echo 2 ;;
		*) echo 1 ;;
	esac
}

suite_script()			# versions-17 is versions.sh with the argument 17
{
	echo "$top/test/suites/${1%%-*}.sh"
}

# shellcheck disable=SC2086 # a list of words
[ $# -gt 0 ] || set -- $all_suites
needs=server
for suite
do
	[ -f "$(suite_script "$suite")" ] || die "no suite $suite; there are: $all_suites analysis"
	case $suite in
		regress | isolation | pgtap | tap | sanitized | analysis) ;;
		*) needs='test' ;;
	esac
done

# Counts the tests in the output of a suite: passed, failed, skipped.  It reads
# TAP (without what subtests print) and the lines of PostgreSQL 15's pg_regress.
count()
{
	awk '
		/^(not )?ok .*# *(SKIP|TODO|skip|todo)/ { skipped++; next }
		/^ok [0-9]/ || /^(test|    ) .* \.\.\. ok / { passed++ }
		/^not ok [0-9]/ || /^(test|    ) .* \.\.\. FAILED/ { failed++ }
		END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

run_suite()			# some run as the caller, the rest as the server's owner
{
	script=$(suite_script "$1")
	argument=
	case $1 in
		*-*) argument=${1#*-} ;;
	esac
	case $1 in
		regress | isolation | pgtap | mcp | page) server_start local "$1" ;;
		clients) server_start tcp "$1" ;;
	esac
	cp -R "$src" "$src.$1"
	chown -R "$server_user" "$src.$1"
	# One installs another library; one replaces the server's files, as a package does.
	case $1 in
		tap | sanitized)
			cp -R "$work/server" "$work/server.$1"
			chown -R "$server_user" "$work/server.$1"
			PATH=$work/server.$1${bin#"$work/server"}:$PATH
			;;
	esac
	src=$src.$1
	cd "$src"
	case $1 in
		lint | demo | package | versions*) sh "$script" "$argument" ;;
		*) as_server sh "test/suites/$1.sh" ;;
	esac
}

run_in_time()			# a suite, ended if it hangs; it writes to its log
{
	patient=$(($(minutes "$1") * patience + 5))
	(run_suite "$1") &
	suite_pid=$!
	(
		size=0
		silent=0
		while [ $silent -lt $patient ]
		do
			sleep 60 || exit
			silent=$((silent + 1))
			before=$size
			size=$(wc -c <"$work/$1.log")
			[ "$size" -eq "$before" ] || silent=0
		done
		echo "not ok 1 - $1 has said nothing for $silent min"
		stop_tree $suite_pid
	) &
	watch_pid=$!
	result=0
	wait $suite_pid || result=$?
	stop_tree $watch_pid
	return $result
}

start_suite()			# in the background; its end is a line in $work/ended
{
	echo "$1: started, takes about $(minutes "$1") min"
	(
		started=$(date +%s)
		status=0
		run_in_time "$1" >"$work/$1.log" 2>&1 </dev/null || status=$?
		[ ! -d "$work/data.$1" ] || server_stop "$work/data.$1"
		rm -rf "$src.$1" "$work/data.$1" "$work/server.$1"
		echo "$1 $status $(($(date +%s) - started))" >&3
	) &
	echo $! >"$work/$1.pid"
}

total_passed=0
total_failed=0

end_suite()			# waits for a suite to end, prints what it found
{
	read -r suite status seconds <&3
	rm "$work/$suite.pid"
	log=$work/$suite.log
	# shellcheck disable=SC2046 # three numbers
	set -- $(count "$log")
	failed=$2
	# What broke down need not have said so in the form of a test.
	if [ "$failed" -eq 0 ] && [ $((status + ($1 + $3 == 0))) -ne 0 ]
	then
		failed=1
	fi
	if [ "$failed" -gt 0 ]
	then
		echo "---- $suite (exit status $status)"
		grep -av '^ok ' "$log" || echo "(no output)"
		echo "----"
	fi
	total_passed=$((total_passed + $1))
	total_failed=$((total_failed + failed))
	echo "$suite: $1 passed, $failed failed, $3 skipped ($seconds s)"
}

stop_tree()			# ends a process and all that it started
{
	# shellcheck disable=SC2013 # words
	for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null)
	do
		stop_tree "$child"
	done
	kill "$1" 2>/dev/null || true
}

stop_suites()			# at exit: those that still run, then the rest
{
	status=$?
	set +e
	for file in "$work"/*.pid
	do
		[ ! -f "$file" ] || stop_tree "$(cat "$file")"
	done
	(exit $status)		# what server_cleanup exits with
	server_cleanup
}

"$top/scripts/setup.sh" "$needs"
echo "Building crm ..."
COPT=-Werror
export COPT
server_prepare

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
jobs=${JOBS:-$(nproc)}
total_minutes=0
for suite
do
	total_minutes=$((total_minutes + $(minutes "$suite")))
done
echo "$# suites, $jobs at once: about $((total_minutes / jobs + 1)) min on an idle machine"
mkfifo "$work/ended"
exec 3<>"$work/ended"
trap stop_suites EXIT
running=0
for suite
do
	start_suite "$suite"
	running=$((running + 1))
	if [ $running -ge "$jobs" ]
	then
		end_suite
		running=$((running - 1))
	fi
done
while [ $running -gt 0 ]
do
	end_suite
	running=$((running - 1))
done

echo "$total_passed passed, $total_failed failed"
[ "$total_failed" -eq 0 ]
