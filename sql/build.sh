#!/bin/sh
# Writes a script of the extension to standard output.
#
#	build.sh VERSION		what CREATE EXTENSION runs
#	build.sh VERSION FROM	what ALTER EXTENSION UPDATE runs to get there
#
# The first is made of the topics of sql/extension and the declarations of
# sql/api, the second of sql/updates/FROM--VERSION.sql.  Both end with what is
# packed as functions that return text: the queries of sql/queries, what
# crm_install() runs, sql/schema, and what crm_upgrade() does, sql/migrations.
#
# The steps of imports, sql/import, are packed in the same way.
#
# So are the style and the scripts of the pages, sql/page, to which uPlot belongs: the
# files of the npm package uplot as they are, with its licence.
#
# A query may have parts that stand in others as well: see sql/queries/parts.awk.
#
# Two placeholders stay in what is packed until it runs: @crm@ is the CRM's
# schema, @extension@ the extension's, whatever they are called by then.
#
# The schema is packed for each tenancy.  @tenant@ is the default of tenant_id there, and a
# line that begins with @single@ or @shared@ belongs to that tenancy.
set -eu
version=$1
from=${2:-}
cd "$(dirname "$0")"
create=${from:+CREATE OR REPLACE}
create=${create:-CREATE}

# What others need comes first.
extension='version errors session uuid defaults currency time calendar groups names
	summary_type summary_aggregates summary_report conversion stage_history replay
	triggers totals api mcp page access computed_relationships events install distribute fleet link
	track_column erasure import_values import_read import export'
schema='pipelines stages deals deal_contacts stage_changes deal_changes tags
	stage_totals exchange_rates triggers pipeline_stage_summary stage_visits
	rotting_deals stage_forecast_categories deal_pushes facts read_only_views mcp page'

files()				# folder, topics: their files; all there are
{
	folder=$1
	shift
	for topic
	do
		echo "$folder/$topic.sql"
	done
}

imports='tables read_deals read_moves places make_places unmake_places find_places
	resolve_deals order_moves plan_deals make_visits make_changes make_ready target
	write_deals write_moves write_changes write_links supersede follow finish report'

check_list()			# folder, topics: fails if a file is in no list
{
	[ "$(files "$@" | sort)" = "$(printf '%s\n' "$1"/*.sql | sort)" ] && return
	echo "sql/$1: the files are not those that sql/build.sh lists" >&2
	exit 1
}

pack()				# function name, files; or the text on standard input
{
	name=$1
	shift
	echo "$create FUNCTION @extschema@.$name() RETURNS text"
	echo "LANGUAGE sql IMMUTABLE PARALLEL SAFE AS \$body\$ SELECT \$packed\$"
	cat "$@"
	echo "\$packed\$ \$body\$;"
}

# shellcheck disable=SC2046 # a list of words
pack_schema()			# tenancy, the other one, the default of tenant_id, topics
{
	tenancy=$1 other=$2 default=$3
	shift 3
	sed "s/@tenant@/$default/g; s/^\\( *\\)@$tenancy@ /\\1/; /^ *@$other@ /d" $(files schema "$@") |
		pack "crm_schema_${tenancy}_sql"
}

pack_migrations()		# a row for each step: from, to, script
{
	echo "$create FUNCTION @extschema@.crm_migrations()"
	echo "RETURNS TABLE (from_version text, to_version text, script text)"
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
	echo "COMMENT ON FUNCTION @extschema@.crm_migrations() IS"
	echo "'The steps by which crm_upgrade() carries the tables of a CRM from one version to a later one.';"
}

# shellcheck disable=SC2046,SC2086 # lists of words
{
	check_list extension $extension
	check_list schema $schema tenancy_single tenancy_shared
	check_list import $imports
	if [ -z "$from" ]
	then
		command='CREATE EXTENSION crm'
		set -- $(files extension $extension) api/*.sql
	else
		command='ALTER EXTENSION crm UPDATE'
		set -- "updates/$from--$version.sql"
	fi
	printf '\\echo Use "%s" to load this file. \\quit\n' "$command"
	# What is not ours is not seen.
	echo 'SET LOCAL search_path = pg_catalog, pg_temp;'
	[ -z "$from" ] || echo "SELECT @extschema@.crm_require_library('$version');"
	cat "$@"
	for query in queries/*.sql
	do
		awk -f queries/parts.awk "$query" | pack "crm_query_$(basename "$query" .sql)"
	done
	for step in $imports
	do
		pack "crm_import_sql_$step" "import/$step.sql"
	done
	pack crm_page_style page/uPlot.min.css page/page.css
	{ echo '/*'; cat page/uPlot.LICENSE; echo '*/'; cat page/uPlot.iife.min.js; } |
		pack crm_page_charts
	pack crm_page_script page/page.js
	pack_schema single shared "'00000000-0000-0000-0000-000000000000'" $schema tenancy_single
	pack_schema shared single 'crm_defaults.current_tenant()' $schema tenancy_shared
	pack_migrations
	echo 'SELECT @extschema@.crm_require_no_namesakes();'
} | sed "s/@VERSION@/$version/g"
