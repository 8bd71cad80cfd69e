#!/bin/sh
# Freezes the scripts of the version in crm.control: builds them, puts them into
# sql/released and their checksums into sql/released/SHA256SUMS.  What is there
# is never replaced: a released script is what people have installed.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" crm.control)
released=sql/released

if [ -f "$released/crm--$version.sql" ]
then
	echo "$0: version $version is released; raise default_version in crm.control" >&2
	exit 1
fi

# No release to which an earlier one finds no way.
python3 test/lint/released.py
mkdir -p "$released"
touch "$released/SHA256SUMS"
freeze()			# $1: name of the script; the rest: arguments of build.sh
{
	script=$1
	shift
	sh sql/build.sh "$@" >"$released/$script"
	(cd "$released" && sha256sum "$script" >>SHA256SUMS)
	echo "$released/$script"
}

freeze "crm--$version.sql" "$version"
for update in sql/updates/*--"$version".sql
do
	[ -f "$update" ] || continue
	step=$(basename "$update" .sql)
	freeze "crm--$step.sql" "$version" "${step%%--*}"
done
