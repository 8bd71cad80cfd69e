# The suites that run inside the server, with the PostgreSQL of later Debians:
# each is put up in a folder, with its packages, and entered by chroot.  Skipped
# where that may not be done; by whom it may, it is tested.  pg_upgrade goes there from
# the server of the other suites, if that is older.  CRM_VERSIONS_SUITES names other suites.
# shellcheck source=test/chroot.sh
. "${CRM_TOP:?}/test/chroot.sh"
number=0
suites=${CRM_VERSIONS_SUITES:-regress isolation pgtap tap}
[ -n "${CRM_VERSIONS_SUITES:-}" ] || tap_tests=operations_pg_upgrade
from=$("${PG_CONFIG:?}" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')

check()				# $1: the release, $2: the PostgreSQL that it has
{
	if ! chroot_put_up "$1" >"$work/$1.log" 2>&1
	then
		number=$((number + 1))
		echo "ok $number - PostgreSQL $2 # SKIP no Debian $1 to be had here"
		tail -n 3 "$work/$1.log" | sed 's/^/# /'
		return
	fi
	old=
	if [ "$from" -lt "$2" ]
	then
		# After the packages: a library of theirs is not to be hidden by an older one.
		# Without the server the test of pg_upgrade fails.
		chroot_run /crm/scripts/setup.sh >>"$work/$1.log" 2>&1 && chroot_bring_server
		old=/old$("$PG_CONFIG" --bindir)
	fi
	# shellcheck disable=SC2086 # a list of words
	chroot_run env JOBS=1 CRM_OLD_INSTALL="${old%/bin}" CRM_TAP_TESTS="${tap_tests:-}" \
		/crm/scripts/check.sh $suites >"$work/$1.log" 2>&1
	result=$?
	grep -q "^PostgreSQL: PostgreSQL $2\." "$work/$1.log" || result=1
	sed -n 's/^\([a-z]*\): \([0-9]*\) passed, \([0-9]*\) failed, .*/\1 \2 \3/p' "$work/$1.log" >"$work/$1.counts"
	while read -r suite passed failed
	do
		number=$((number + 1))
		if [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
		then
			echo "ok $number - PostgreSQL $2, $suite: $passed passed"
		else
			echo "not ok $number - PostgreSQL $2, $suite: $failed failed"
		fi
	done <"$work/$1.counts"
	if [ "$result" -ne 0 ] || [ "$(wc -l <"$work/$1.counts")" -ne "$(echo "$suites" | wc -w)" ]
	then
		number=$((number + 1))
		echo "not ok $number - PostgreSQL $2"
		# What the packages said is of interest only if nothing came after.
		{ sed -n '/^PostgreSQL:/,$p' "$work/$1.log" | grep . || tail -n 50 "$work/$1.log"; } |
			sed 's/^/# /'
	fi
	rm -rf "$root"
}

if ! chroot_possible
then
	echo "ok 1 - PostgreSQL 17 and 18 # SKIP a chroot takes root's rights"
	exit
fi
case ${1:-} in
	17) check trixie 17 ;;
	18) check testing 18 ;;
	*)
		check trixie 17
		check testing 18
		;;
esac
