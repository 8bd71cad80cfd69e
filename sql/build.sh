#!/bin/sh
# Writes a script of the extension to standard output.
#
#	build.sh VERSION		what CREATE EXTENSION runs
#	build.sh VERSION FROM	what ALTER EXTENSION UPDATE runs to get there
#
# The first is made of the topic files of sql/extension, the second of
# sql/updates/FROM--VERSION.sql.  Both end with what crm_install() and
# crm_upgrade() run, packed as the texts of functions: sql/schema and
# sql/migrations.
set -eu
version=$1
from=${2:-}
cd "$(dirname "$0")"
create=${from:+CREATE OR REPLACE}
create=${create:-CREATE}

pack()				# function name, files
{
	name=$1
	shift
	echo "$create FUNCTION $name() RETURNS text"
	echo "LANGUAGE sql IMMUTABLE PARALLEL SAFE AS \$body\$ SELECT \$schema\$"
	cat "$@"
	echo "\$schema\$ \$body\$;"
}

pack_migrations()		# a row for each step: from, to, script
{
	echo "$create FUNCTION crm_migrations() RETURNS TABLE (from_version text, to_version text, script text)"
	echo "LANGUAGE sql IMMUTABLE PARALLEL SAFE AS \$body\$"
	echo "SELECT NULL::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text WHERE false"
	for file in migrations/*--*.sql
	do
		[ -f "$file" ] || continue
		step=$(basename "$file" .sql)
		printf "UNION ALL SELECT '%s', '%s', \$step\$\n" "${step%%--*}" "${step#*--}"
		cat "$file"
		echo "\$step\$"
	done
	echo "\$body\$;"
	echo "COMMENT ON FUNCTION crm_migrations() IS"
	echo "	'The steps by which crm_upgrade() carries the tables of a CRM from one version to a later one.';"
}

{
	if [ -z "$from" ]
	then
		printf '%s\n' '\echo Use "CREATE EXTENSION crm" to load this file. \quit'
		cat extension/*.sql
	else
		printf '%s\n' '\echo Use "ALTER EXTENSION crm UPDATE" to load this file. \quit'
		echo "SELECT @extschema@.crm_require_library('$version');"
		cat "updates/$from--$version.sql"
	fi
	pack crm_schema_sql schema/[0-9]*.sql
	pack crm_schema_single_sql schema/tenancy_single.sql
	pack crm_schema_shared_sql schema/tenancy_shared.sql
	pack_migrations
} | sed "s/@VERSION@/$version/g"
