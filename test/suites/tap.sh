# TAP tests in Perl: test/t, with PostgreSQL's own PostgreSQL::Test modules.
set -eu
pgxs_test=$("$PG_CONFIG" --pkglibdir)/pgxs/src/test
export PG_REGRESS="$pgxs_test/regress/pg_regress"
# Where the modules put their clusters and logs: 15, then 16 and later.
export TESTDIR="$PWD"
export TESTDATADIR="$PWD/tmp_check" TESTLOGDIR="$PWD/tmp_check/log"
# A busy machine takes its time: waits end when what they wait for is there.
export PG_TEST_TIMEOUT_DEFAULT=300 PGCTLTIMEOUT=300

status=0
# CRM_TAP_TESTS names some of them, with spaces between.  The fuzzers are run by the
# suite sanitized, whose library notices more.
for name in ${CRM_TAP_TESTS:-$(cd test/t && ls -- *.pl)}
do
	[ -n "${CRM_TAP_TESTS:-}" ] || case $name in *_fuzz.pl) continue ;; esac
	file=test/t/${name%.pl}.pl
	prove --timer -v -I "$pgxs_test/perl" -I test/perl "$file" || {
		status=1
		# What a test dies of is said there only.
		log=tmp_check/log/regress_log_$(basename "$file" .pl)
		grep 'error running SQL' "$log" || true
		tail -n 30 "$log"
	}
done
exit $status
