# What each line of the sources has to keep to.
set -eu
status=0

forbid()			# $1: what it breaks; the rest: a grep that must find nothing
{
	what=$1
	shift
	if found=$("$@")
	then
		echo "$what:"
		echo "$found"
		status=1
	fi
}

forbid "version differences belong in src/base/compat.h" \
	grep -n --include='*.[ch]' --exclude=compat.h -e PG_VERSION_NUM -e pg_attribute_noreturn -r src
forbid "// comments" \
	grep -nE '(^|[;{},[:space:]])//' -r src --include='*.[ch]'
forbid "white space at the end of a line" \
	grep -nE '[[:space:]]+$' -r src sql scripts examples test .ci Makefile --include='*.[ch]' \
	--include='*.sql' --include='*.sh' --include='*.pl' --include='*.py' --include=Makefile \
	--include='*.spec'
forbid "a path of one machine" \
	grep -nE '/(work|home|root)/' -rI . --exclude-dir=.git --exclude=.git --exclude=sources.sh
version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" crm.control)
# What a version brought does not change with the next one.
# shellcheck disable=SC2001,SC2317 # forbid calls it
says_version()
{
	grep -nE "(^|[^0-9.])$(echo "$version" | sed 's/\./\\./g')([^0-9.]|\$)" -rI . \
		--exclude-dir=.git --exclude=crm.control --exclude='crm--*.sql' --exclude=META.json \
		--exclude-dir=results --exclude-dir=tmp_check --exclude-dir=released \
		--exclude-dir=migrations --exclude-dir=updates --exclude=CHANGELOG.md --exclude=changelog \
		--exclude=package-lock.json |
		grep -v '\.since = "'
}
forbid "the version stands in crm.control only" says_version
forbid "longer than 600 lines" \
	awk 'FNR == 601 { print FILENAME; found = 1 } END { exit !found }' src/*/*.[ch] scripts/* test/lint/*
exit $status
