#!/bin/sh
# Writes the extension script of the version named by $1 to standard output:
# the topic files of sql/extension, then those of sql/schema, packed as the
# functions from which crm_install() reads them.
set -eu
version=$1
cd "$(dirname "$0")"

pack()				# function name, files
{
	name=$1
	shift
	echo "CREATE FUNCTION $name() RETURNS text"
	echo "LANGUAGE sql IMMUTABLE PARALLEL SAFE AS \$body\$ SELECT \$schema\$"
	cat "$@"
	echo "\$schema\$ \$body\$;"
}

{
	printf '%s\n' '\echo Use "CREATE EXTENSION crm" to load this file. \quit'
	cat extension/*.sql
	pack crm_schema_sql schema/[0-9]*.sql
	pack crm_schema_single_sql schema/tenancy_single.sql
	pack crm_schema_shared_sql schema/tenancy_shared.sql
} | sed "s/@VERSION@/$version/g"
