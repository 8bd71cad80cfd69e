#!/bin/sh
# Starts a private PostgreSQL, installs a CRM in it, loads a CSV of opportunities
# with their dates, prints the summary of the pipeline and reports on its history, and
# keeps running so that you can connect.
#
#	scripts/demo.sh [--exit] [--page=FILE] [file.csv]
#
# --exit stops it after the reports; so does --page, which also writes the page of the
# pipeline there.  The CSV has the columns of examples/sample_pipeline.csv.  Without an
# argument it is ../shared/data/sales_pipeline.csv if that exists, else the example.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/server.sh
. "$top/scripts/server.sh"

stay=yes
page=
csv=
for argument
do
	case $argument in
		--exit) stay=no ;;
		--page=*)
			stay=no
			page=${argument#*=}
			: >"$page" || exit
			page=$(cd "$(dirname "$page")" && pwd)/$(basename "$page")
			;;
		-*) die "unknown option $argument (usage: scripts/demo.sh [--exit] [--page=FILE] [file.csv])" ;;
		*) csv=$argument ;;
	esac
done

if [ -z "$csv" ]
then
	csv=$top/../shared/data/sales_pipeline.csv
	[ -r "$csv" ] || csv=$top/examples/sample_pipeline.csv
fi
[ -f "$csv" ] || die "no such file: $csv"
[ -r "$csv" ] || die "cannot read $csv"
csv=$(cd "$(dirname "$csv")" && pwd)/$(basename "$csv")

# A file of another kind is refused before anything is built.
header=$(head -n 1 "$csv" | tr -d '\357\273\277\r"')
for column in opportunity_id sales_agent product account deal_stage \
	engage_date close_date close_value
do
	case ,$header, in
		*,"$column",*) ;;
		*) die "$csv has no column $column (its first line: $header)" ;;
	esac
done

sql()				# psql in the demo's database
{
	as_server "$bin/psql" -X -q -v ON_ERROR_STOP=1 -d crm "$@"
}

"$top/scripts/setup.sh" build

echo "Building crm and starting a private PostgreSQL ..."
server_prepare
server_start tcp

echo "Installing a CRM and importing $csv ..."
as_server "$bin/createdb" crm
sql <<'END'
CREATE SCHEMA extensions;
CREATE EXTENSION crm SCHEMA extensions;
SELECT extensions.crm_install() \g /dev/null
ALTER DATABASE crm SET search_path = crm, extensions, public;
END
cp "$csv" "$work/pipeline.csv"
chown "$server_user" "$work/pipeline.csv"
sql -v csv="$work/pipeline.csv" -c 'SET client_min_messages = warning' \
	-f "$src/examples/import/csv.sql" ||
	die "$csv was not imported"
echo
sql -f "$src/examples/summary.sql" -f "$src/examples/reports.sql"

[ $stay = yes ] || [ -n "$page" ] || exit 0
sql -At -c "SELECT pipeline_page(id) FROM pipelines WHERE name = 'Sales'" >"${page:=$work/pipeline.html}"
[ $stay = yes ] || exit 0
cat <<END
To see the pipeline in a browser, as long as this runs, open
    $page
To look around (tables: \\d, what a column means: \\d+ deals, functions: \\df crm.*):
    psql 'postgresql://postgres:$password@127.0.0.1:$port/crm'
What stands longest in its stage, to begin with:
    SELECT d.title, s.name AS stage, d.amount, d.stage_entered_at::date AS since
    FROM deals d JOIN stages s ON s.id = d.stage_id
    WHERE d.status = 'open' ORDER BY d.stage_entered_at LIMIT 10;
More to try is in docs/quick-start.md.
To stop and remove all of it: Ctrl-C, or
    kill $$
END

# A signal ends wait at once; a sleep in the foreground would delay it.
trap 'exit 0' HUP INT TERM
while [ -f "$work/data/postmaster.pid" ]
do
	sleep 1 &
	wait $!
done
die "PostgreSQL has stopped: $(tail "$server_log")"
