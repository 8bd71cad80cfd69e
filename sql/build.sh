#!/bin/sh
# Writes the extension script of the version named by $1 to standard output:
# the topics of sql/extension, the declarations of sql/api, and, packed as
# functions that return text, the queries of sql/queries and what crm_install()
# runs, sql/schema.
#
# Two placeholders stay in what is packed until it runs: @crm@ is the CRM's
# schema, @extension@ the extension's, whatever they are called by then.
set -eu
version=$1
cd "$(dirname "$0")"

# What others need comes first.
extension='version errors session uuid defaults currency summary_type summary_aggregates
	summary_report conversion stage_history triggers totals api mcp access
	computed_relationships events install link_contacts'
schema='pipelines stages deals deal_contacts stage_changes deal_changes tags
	stage_totals exchange_rates triggers pipeline_stage_summary stage_visits
	rotting_deals stage_forecast_categories deal_pushes read_only_views mcp'

files()				# folder, topics: their files; all there are
{
	folder=$1
	shift
	for topic
	do
		echo "$folder/$topic.sql"
	done
}

complete()			# folder, topics: fails if a file is in no list
{
	[ "$(files "$@" | sort)" = "$(ls "$1"/*.sql | sort)" ] && return
	echo "sql/$1: the files are not those that sql/build.sh lists" >&2
	exit 1
}

pack()				# function name, files
{
	name=$1
	shift
	echo "CREATE FUNCTION @extschema@.$name() RETURNS text"
	echo "LANGUAGE sql IMMUTABLE PARALLEL SAFE AS \$body\$ SELECT \$packed\$"
	cat "$@"
	echo "\$packed\$ \$body\$;"
}

# shellcheck disable=SC2086 # lists of words
{
	complete extension $extension
	complete schema $schema tenancy_single tenancy_shared
	printf '%s\n' '\echo Use "CREATE EXTENSION crm" to load this file. \quit'
	# What is not ours is not seen.
	echo 'SET LOCAL search_path = pg_catalog, pg_temp;'
	cat $(files extension $extension) api/*.sql
	for query in queries/*.sql
	do
		pack "crm_query_$(basename "$query" .sql)" "$query"
	done
	pack crm_schema_sql $(files schema $schema)
	pack crm_schema_single_sql schema/tenancy_single.sql
	pack crm_schema_shared_sql schema/tenancy_shared.sql
} | sed "s/@VERSION@/$version/g"
