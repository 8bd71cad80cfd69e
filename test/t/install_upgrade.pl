# Versions live together: two made-up releases after the version at hand.
#
# The first one adds a column to deals; the second one a column to
# stage_changes, a trigger function and a trigger.  Both are made as a developer
# makes them (docs/upgrade.md), in a copy of the sources.  The library and the SQL
# of the server are then replaced as a package does it, in each order, while
# CRMs of the version at hand are at work, and CRMs are carried over one by one.

use strict;
use warnings;

use CrmTest;
use File::Copy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('upgrade');
my $dir = PostgreSQL::Test::Utils::tempdir();
my $lib = $node->config_data('--pkglibdir');
my $share = $node->config_data('--sharedir') . '/extension';

# The server is a copy, so that its files may be replaced.
my $system = `$ENV{PG_CONFIG} --pkglibdir`;
chomp $system;
BAIL_OUT("$lib is the server of this machine") if $lib eq $system;

my $old = control_version('.');
my ($first, $second) = next_versions($old);
my $north = 'Büro "Nord" 1';

# The CRMs: those of CrmTest, and one with real data where that is at hand.
my @schemas = ((map { $_->[0] } @CrmTest::crms), 'sales');

save_package();
END { restore_package() if defined $node }

make_releases();
make_old_databases();

my $old_dump = "$dir/old.dump";
$node->command_ok([ 'pg_dump', '-Fc', '-f', $old_dump, 'origin' ],
	'a dump of the old version');
my $old_session = open_session();

library_first();
sql_first();
both_new();
upgrade_interrupted();
upgrade_at_work();
upgrade_rest();
fresh_is_upgraded();
restore_old_dump();

$old_session->quit;
$node->stop;
done_testing();

#
# The package: the library and the scripts of the server.
#

sub control_version
{
	my ($folder) = @_;

	return slurp_file("$folder/crm.control") =~
	  /^default_version *= *'(.*)'/m ? $1 : die 'no version in crm.control';
}

sub next_versions
{
	my @numbers = split /\./, shift;

	return (
		join('.', @numbers[ 0, 1 ], $numbers[2] + 1),
		join('.', $numbers[0], $numbers[1] + 1, 0));
}

sub run_quietly
{
	my @command = @_;
	my $said = '';

	IPC::Run::run(\@command, '>&', \$said) or die "@command: $said";
	return $said;
}

# Puts a file in place of another as a package does: sessions that have loaded
# the old one keep it.
sub replace_file
{
	my ($from, $to) = @_;

	copy($from, "$to.new") or die "$from: $!";
	chmod 0755, "$to.new" if $to =~ /\.so$/;
	rename "$to.new", $to or die "$to: $!";
	return;
}

sub save_package
{
	mkdir "$dir/old";
	copy($_, "$dir/old")
	  or die "$_: $!"
	  foreach "$lib/crm.so", glob "$share/crm--*.sql $share/crm.control";
	return;
}

sub use_library
{
	my ($which) = @_;

	replace_file("$dir/$which/crm.so", "$lib/crm.so");
	return;
}

sub use_sql
{
	my ($which) = @_;

	unlink glob "$share/crm--*.sql";
	replace_file($_, "$share/" . basename_of($_))
	  foreach glob "$dir/$which/crm--*.sql $dir/$which/crm.control";
	return;
}

sub basename_of
{
	return shift =~ s{.*/}{}r;
}

sub restore_package
{
	return unless -f "$dir/old/crm.so";
	use_library('old');
	use_sql('old');
	return;
}

#
# The releases, made in a copy of the sources.
#

# Changes the text of the one file that matches; what it becomes is given as a
# function, which knows the groups of the pattern.
sub edit
{
	my ($pattern, $from, $to) = @_;
	my ($file) = grep { -f } glob "$dir/source/$pattern";
	my $text = slurp_file($file // die "no file $pattern");

	$text =~ s/$from/$to->()/e or die "$file: nothing like $from";
	unlink $file;
	append_to_file($file, $text);
	return;
}

sub new_file
{
	my ($name, $text) = @_;
	my ($folder) = "$dir/source/$name" =~ m{(.*)/};

	mkdir $folder;
	append_to_file("$dir/source/$name", $text);
	return;
}

sub make_releases
{
	mkdir "$dir/source";
	run_quietly('sh', '-c',
		"tar -cf - --exclude=./tmp_check --exclude=./.git . | tar -C '$dir/source' -xf -"
	);
	release($old);
	make_first();
	release($first);
	make_second();

	my $make = "make -C '$dir/source' with_llvm=no PG_CONFIG=$ENV{PG_CONFIG}";
	my $extension = `$ENV{PG_CONFIG} --sharedir`;
	chomp $extension;
	run_quietly('sh', '-c',
		"$make -s -j2 && $make -s DESTDIR='$dir/stage' install");
	mkdir "$dir/new";
	copy($_, "$dir/new")
	  or die "$_: $!"
	  foreach "$dir/stage$system/crm.so",
	  glob "$dir/stage$extension/extension/crm*";
	ok(-f "$dir/new/$_", "$_ is in the package")
	  foreach map { "crm--$_.sql" } $old, $first, $second,
	  "$old--$first", "$first--$second";
	return;
}

# Raises the version, as the first thing that a developer does.
sub set_version
{
	my ($version) = @_;

	edit(
		'crm.control',
		qr/^default_version *= *'.*'$/m,
		sub { "default_version = '$version'" });
	return;
}

# Freezes a version, which can be done once.
sub release
{
	my ($version) = @_;
	my $script = "$dir/source/scripts/release.sh";

	is(control_version("$dir/source"), $version, "$version is released");
	run_quietly('sh', $script);
	$node->command_fails([ 'sh', $script ], 'but not twice');
	run_quietly('python3', '-c',
		"import os; os.chdir('$dir/source'); exec(open('test/lint/released.py').read())"
	);
	return;
}

# A column, which goes where ALTER TABLE puts it.
sub make_first
{
	my $comment =
	  "COMMENT ON COLUMN deals.next_step IS 'What is to be done next';\n";
	my $index = "CREATE INDEX deals_next_step_idx ON deals (next_step);\n";
	my $check = "CONSTRAINT deals_next_step_check CHECK (next_step <> '')";

	set_version($first);
	edit(
		'sql/schema/{??-,}deals.sql',
		qr/^(    CONSTRAINT deals_pkey )/m,
		sub { "    next_step text,\n    $check,\n$1" });
	edit('sql/schema/{??-,}deals.sql', qr/\n\z/, sub { "\n$comment$index" });
	new_file("sql/updates/$old--$first.sql", "-- Nothing but texts.\n");
	new_file("sql/migrations/$old--$first.sql",
		"ALTER TABLE deals ADD next_step text;\nALTER TABLE deals ADD $check;\n$comment$index"
	);
	return;
}

# A column of the history, a function of the API, and a trigger.  Its name comes after those that are
# there: an older library is to meet one first that it has a function for.
sub make_second
{
	my $column =
	  "COMMENT ON COLUMN stage_changes.next_step IS 'What was to be done next';\n";
	my $trigger = <<~'SQL';
		CREATE TRIGGER zz_crm_next_step BEFORE INSERT OR UPDATE ON deals
		    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_next_step_rules('@VERSION@');
		SQL
	my $function = <<~'SQL';
		CREATE FUNCTION @extschema@.crm_next_step_rules() RETURNS trigger
		LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
		COMMENT ON FUNCTION @extschema@.crm_next_step_rules() IS
		'BEFORE INSERT OR UPDATE trigger for each row of deals: trims next_step';
		SQL

	set_version($second);
	edit(
		'sql/schema/{??-,}stage_changes.sql',
		qr/^(    CONSTRAINT stage_changes_pkey )/m,
		sub { "    next_step text,\n$1" });
	edit('sql/schema/{??-,}stage_changes.sql', qr/\n\z/, sub { "\n$column" });
	edit('sql/schema/{??-,}triggers.sql', qr/\n\z/, sub { "\n\n$trigger" });
	edit('sql/extension/{??-,}triggers.sql',
		qr/\n\z/, sub { "\n\n$function" });
	new_file("sql/updates/$first--$second.sql", $function . make_api());
	new_file("sql/migrations/$first--$second.sql",
		"ALTER TABLE stage_changes ADD next_step text;\n$column"
		  . $trigger =~ s/\@VERSION\@/$second/r);
	write_code();
	return;
}

# A function of the CRM's: its declaration, its query, and its line in the list.
# The column that older CRMs lack is read in a way that makes it null there.
# Returns what ALTER EXTENSION has to do for it.
sub make_api
{
	my $declaration = <<~'SQL';
		CREATE FUNCTION @extschema@.crm_deals_without_next_step(crm regnamespace, pipeline_id uuid)
			RETURNS bigint
			LANGUAGE c STABLE PARALLEL SAFE
			AS 'MODULE_PATHNAME', 'crm_report';
		COMMENT ON FUNCTION @extschema@.crm_deals_without_next_step(regnamespace, uuid) IS
		'How many open deals of a pipeline have no next step';
		SQL
	my $list = 'sql/extension/api.sql';

	new_file('sql/api/deals_without_next_step.sql',     $declaration);
	new_file('sql/queries/deals_without_next_step.sql', <<~'SQL');
		SELECT count(*) FROM @crm@.deals AS d
		WHERE d.pipeline_id = deals_without_next_step.pipeline_id AND d.status = 'open'
			AND to_jsonb(d) ->> 'next_step' IS NULL;
		SQL
	edit(
		$list,
		qr/\('win_rate', 'read', NULL\)/,
		sub { "$&,\n\t\t('deals_without_next_step', 'read', NULL)" });
	slurp_file("$dir/source/$list") =~
	  /^CREATE( FUNCTION \S*crm_api_functions\(\).*?\nEND;\n)/ms
	  or die 'no list';
	return "$declaration\nCREATE OR REPLACE$1";
}

# The library: what an older CRM lacks says "since".
sub write_code
{
	edit('src/table/kinds.h', qr/(\tDEAL_NCOLUMNS)/,
		sub { "\tDEAL_NEXT_STEP,\n$1" });
	edit(
		'src/table/kinds.c',
		qr/(\t\[DEAL_MOVE_NO\] = .*\n)/,
		sub {
			qq($1\t[DEAL_NEXT_STEP] = {"next_step", TEXTOID, .since = "$first"},\n);
		});
	edit('src/history/stage_changes.c', qr/(\tCHANGE_CHANGED_BY,)/,
		sub { "\tCHANGE_NEXT_STEP,\n$1" });
	edit(
		'src/history/stage_changes.c',
		qr/(\t\[CHANGE_CHANGED_BY\] = )/,
		sub {
			qq(\t[CHANGE_NEXT_STEP] = {"next_step", TEXTOID, .since = "$second"},\n$1);
		});
	edit(
		'src/history/stage_changes.c',
		qr/(\{CHANGE_FROM_PROBABILITY, true, DEAL_PROBABILITY\},\n)/,
		sub { "$1\t\t{CHANGE_NEXT_STEP, true, DEAL_NEXT_STEP},\n" });
	edit(
		'src/deal/rules.c',
		qr/(\tdeal_set\(deal, DEAL_VERSION, Int32GetDatum\(successor.*\n)/,
		sub {
			"$1\tif (!deal_is_null(deal, DEAL_WON_AT))\n"
			  . "\t\tdeal_set_null(deal, DEAL_NEXT_STEP);\n";
		});
	new_file('src/deal/next_step.c', <<~'C');
		#include "postgres.h"

		#include "fmgr.h"
		#include "utils/fmgrprotos.h"

		#include "table/kinds.h"
		#include "table/row.h"
		#include "table/trigger.h"

		PG_FUNCTION_INFO_V1(crm_next_step_rules);
		Datum
		crm_next_step_rules(PG_FUNCTION_ARGS)
		{
			TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_next_step_rules",
													 TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE, CRM_ON_WRITE);
			AttrNumber	attno = crm_columns(trigdata->tg_relation, &crm_deal_kind)[DEAL_NEXT_STEP];
			RowEdit		row;
			Upsert	   *upsert = NULL;

			crm_row_open(&row, trigdata, InvalidAttrNumber, &upsert, CurrentMemoryContext);
			if (!crm_row_is_null(&row, attno))
				crm_row_set(&row, attno, DirectFunctionCall1(btrim1, crm_row_get(&row, attno)));
			return PointerGetDatum(crm_row_close(&row));
		}
		C
	return;
}

#
# What is at work.
#

sub quoted
{
	return CrmTest::quote_ident(shift);
}

sub tenants_of
{
	my ($schema) = @_;
	my ($crm) = grep { $_->[0] eq $schema } @CrmTest::crms;

	return $crm ? @{$crm}[ 2 .. $#$crm ] : (undef);
}

# The CRMs of CrmTest with what users add, one with sales data, and two in a
# database of their own, without anything added.
sub make_old_databases
{
	make_origin($node, 'origin');
	install($node, 'origin', 'sales', 'single');
	my $csv = $ENV{CRM_SALES_CSV} // 'examples/sample_pipeline.csv';
	my $owner = $node->connstr('origin') . " options='-c role=crm_owner'";
	$node->command_ok(
		[
			'psql',     '-X', '-q', '-o', '/dev/null', '-d', $owner, '-v',
			"csv=$csv", '-v', 'crm=sales', '-f', 'examples/import/csv.sql'
		],
		"$csv is imported");
	$node->safe_psql('origin', <<~'SQL');
		SET SESSION AUTHORIZATION crm_owner;
		ALTER TRIGGER zz_crm_row_rules ON crm.exchange_rates RENAME TO my_own_name;
		ALTER TABLE crm.exchange_rates ENABLE ALWAYS TRIGGER my_own_name;
		ALTER TABLE crm.deal_tags DISABLE TRIGGER zz_crm_row_rules;
		COMMENT ON TRIGGER my_own_name ON crm.exchange_rates IS 'renamed';
		SET search_path = extensions;
		SELECT crm_enable_events('crm');
		SQL
	create_database($node, 'aged');
	install($node, 'aged', 'crm',  'single');
	install($node, 'aged', 'team', 'shared');
	return;
}

# A session that has loaded the library, and keeps it.
sub open_session
{
	my $session = $node->background_psql('origin', on_error_stop => 0);

	$session->query_safe(
		'SET SESSION AUTHORIZATION crm_app; SELECT extensions.crm_version()');
	return $session;
}

# What that session says to a write that every CRM allows.
sub write_in_session
{
	my ($session, $schema) = @_;

	$session->query('UPDATE '
		  . quoted($schema)
		  . ".deals SET amount = amount + 1 WHERE external_id = 'plain 3'");
	my $said = $session->{stderr};
	$session->{stderr} = '';
	return $said;
}

sub as_owner
{
	my ($db, $sql) = @_;

	return $node->safe_psql($db,
		"SET SESSION AUTHORIZATION crm_owner; SET search_path = extensions; $sql"
	);
}

# The error of a statement of the owner's.
sub error_of
{
	my ($db, $sql) = @_;
	my $stderr;

	$node->psql(
		$db,
		"SET SESSION AUTHORIZATION crm_owner; SET search_path = extensions; $sql",
		stderr => \$stderr);
	return $stderr;
}

sub upgrade
{
	my ($db, $schema) = @_;

	return as_owner($db,
		'SELECT crm_upgrade(' . CrmTest::quote_literal($schema) . ')');
}

sub version_of
{
	my ($db, $schema) = @_;

	return as_owner($db,
			'SELECT crm_installed_version('
		  . CrmTest::quote_literal($schema)
		  . ')');
}

# Every row of every table, without the columns that the releases bring.
sub data_of
{
	my ($db, $schema) = @_;
	my @tables = split /\n/,
	  $node->safe_psql($db,
			"SELECT relname FROM pg_class WHERE relnamespace = "
		  . CrmTest::quote_literal(quoted($schema))
		  . "::regnamespace AND relkind = 'r' ORDER BY relname");

	return join "\n", map {
		"$_ "
		  . $node->safe_psql($db,
				"SELECT count(*), md5(string_agg(r, '' ORDER BY r)) FROM "
			  . "(SELECT (to_jsonb(t) - 'next_step')::text AS r FROM "
			  . quoted($schema) . '.'
			  . quoted($_)
			  . ' AS t) AS rows')
	} @tables;
}

sub all_data
{
	my ($db) = @_;

	return join "\n", map { "$_:\n" . data_of($db, $_) } @schemas;
}

# What the reports, the summaries and MCP say; of times that are past, as these
# go by meanwhile.
sub reads_of
{
	my ($db, $schema) = @_;

	return join "\n", map {
		$node->safe_psql($db,
			CrmTest::crm_session('crm_owner', $schema, $_) . <<~'SQL')
		SELECT p.name, r.report, r.answer
		FROM pipelines AS p, LATERAL (
			SELECT 'summary', (pipeline_summary(p.id) - 'as_of')::text
			UNION ALL SELECT 'as of', (pipeline_summary_as_of(p.id, '2023-06-01') - 'as_of')::text
			UNION ALL SELECT 'trend', json_agg(t)::text
				FROM pipeline_trend(p.id, '2023-01-01', '2024-01-01', 'month') AS t
			UNION ALL SELECT 'funnel', json_agg(f)::text FROM funnel(p.id) AS f
			UNION ALL SELECT 'conversion', json_agg(c)::text FROM stage_conversion(p.id) AS c
			UNION ALL SELECT 'time in stage', json_agg(t)::text FROM time_in_stage(p.id) AS t
			UNION ALL SELECT 'win rate', json_agg(w)::text FROM win_rate(p.id) AS w
			UNION ALL SELECT 'waterfall', json_agg(w)::text
				FROM pipeline_waterfall(p.id, '2023-01-01', '2024-01-01') AS w
			UNION ALL SELECT 'forecast', json_agg(f)::text
				FROM forecast(p.id, today => '2024-01-01') AS f
			UNION ALL SELECT 'slippage', json_agg(s)::text FROM slippage(p.id) AS s) AS r (report, answer)
		ORDER BY p.name, r.report;
		SELECT jsonb_path_query(mcp('{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}')::jsonb, '$.result.tools[*].name');
		SELECT mcp('{"jsonrpc": "2.0", "id": 2, "method": "tools/call",
			"params": {"name": "list_pipelines", "arguments": {}}}');
		SQL
	} tenants_of($schema);
}

sub all_reads
{
	my ($db) = @_;

	return join "\n", map { "$_:\n" . reads_of($db, $_) } @schemas;
}

# A deal is moved on, and the move taken back: in any CRM, of any data.
sub moves
{
	my ($db, $schema, $name) = @_;

	is( $node->safe_psql(
			$db,
			CrmTest::crm_session('crm_app', $schema) . <<~'SQL'), '2', $name);
		SET client_min_messages = error;
		CREATE TEMP TABLE before AS
			SELECT d.* FROM deals AS d JOIN stages AS s ON s.id = d.stage_id
			WHERE d.status = 'open' ORDER BY d.external_id LIMIT 1;
		SELECT (move_deal(b.id, s.id)).version FROM before AS b JOIN stages AS s
			ON s.pipeline_id = b.pipeline_id AND s.id <> b.stage_id AND s.deal_status = 'open' LIMIT 1 \g /dev/null
		SELECT (undo_move(id)).version FROM before \g /dev/null
		SELECT count(*) FROM before AS b JOIN stage_changes AS c ON c.deal_id = b.id AND c.move_no > b.move_no;
		SQL
	return;
}

sub everything_works
{
	my ($db, $name) = @_;

	all_work($node, $db, $name);
	moves($db, 'sales', "$name: sales");
	history_agrees($node, $db, 'sales', "$name: sales");
	return;
}

#
# The tests.
#

# The package's library is there, its SQL is not in the database yet.
sub library_first
{
	my $reads = all_reads('origin');
	my $data = all_data('origin');

	use_library('new');
	is(as_owner('origin', 'SELECT crm_version()'),
		$second, 'library first: new sessions load it');
	same_text(all_reads('origin'), $reads,
		'library first: it reads what there was');
	same_text(all_data('origin'), $data,
		'library first: the data is the same');
	everything_works('origin', 'library first');
	is(upgrade('origin', 'crm'),
		$old, 'library first: there is nothing to upgrade to');

	create_database($node, 'late');
	install($node, 'late', 'crm', 'single');
	is(version_of('late', 'crm'),
		$old, 'library first: the old SQL installs an old CRM');
	fill($node, 'late', 'crm');
	still_works($node, 'late', 'crm', undef, 'library first: which works');
	return;
}

# The scripts are there, the library is the old one: nothing begins.
sub sql_first
{
	my %hints = map {
		$_ =>
		  qr/HINT:  Install crm \Q$_\E or later on this server, whose library is of version \Q$old\E/
	} $first, $second;

	use_library('old');
	use_sql('new');
	like(
		error_of('origin', 'ALTER EXTENSION crm UPDATE'),
		qr/the SQL of extension crm is newer than the library.*$hints{$first}/s,
		'SQL first: refused, with a hint');
	is( $node->safe_psql(
			'origin',
			q{SELECT extversion FROM pg_extension WHERE extname = 'crm'}),
		$old,
		'SQL first: nothing has changed');
	create_database($node, 'early');
	like(
		error_of(
			'early',
			'CREATE SCHEMA extensions; CREATE EXTENSION crm SCHEMA extensions'
		),
		qr/the SQL of extension crm is newer than the library.*$hints{$second}/s,
		'SQL first: nor is it installed anew');
	everything_works('origin', 'SQL first');
	return;
}

# All of the package, and ALTER EXTENSION: the CRMs are still the old ones.
sub both_new
{
	my ($reads, $data);

	use_library('new');
	$reads = all_reads('origin');
	$data = all_data('origin');
	foreach my $db ('origin', 'aged', 'late')
	{
		as_owner($db, 'ALTER EXTENSION crm UPDATE');
		is( as_owner($db, "SELECT DISTINCT version FROM crm_installations()"),
			$old,
			"$db: the extension is updated, its CRMs are not");
	}
	same_text(all_data('origin'),  $data,  'updated: the data is the same');
	same_text(all_reads('origin'), $reads, 'updated: so is what is read');
	everything_works('origin', 'updated');
	is( as_owner(
			'origin',
			q{SELECT crm_deals_without_next_step('crm', id) > 0 FROM crm.pipelines WHERE name = 'Sales'}
		),
		't',
		'updated: a new query reads old tables');
	is(write_in_session($old_session, $_),
		'', "updated: a session with the old library writes to $_")
	  foreach 'crm', $north;
	return;
}

# An upgrade that does not come to its end changes nothing, whatever ends it.
sub upgrade_interrupted
{
	my $before = dump_text($node, 'origin', '--schema=crm');
	my $blocker = $node->background_psql('origin');

	$blocker->query_safe(
		'BEGIN; LOCK TABLE crm.stage_changes IN ACCESS SHARE MODE');
	like(
		error_of(
			'origin',
			"SET statement_timeout = 300; SELECT crm_upgrade('crm')"),
		qr/canceling statement due to statement timeout/,
		'interrupted: a timeout');
	$blocker->quit;
	like(
		error_of(
			'origin',
			"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT crm_upgrade('crm')"
		),
		qr/cannot be upgraded in a transaction of isolation level REPEATABLE READ.*READ COMMITTED/s,
		'interrupted: at the wrong level');
	$node->psql(
		'origin',
		"SET SESSION AUTHORIZATION crm_app; SELECT extensions.crm_upgrade('crm')",
		stderr => \my $stderr);
	like($stderr, qr/must be owner/, 'interrupted: by whom it is not for');

	# In the middle of the second step, when the first one is done.
	$node->safe_psql('origin', <<~'SQL');
		CREATE FUNCTION public.pause() RETURNS event_trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'crm.stage_changes') THEN
				PERFORM pg_advisory_lock(4711);
			END IF;
		END $$;
		CREATE EVENT TRIGGER pause ON ddl_command_end WHEN TAG IN ('ALTER TABLE')
			EXECUTE FUNCTION public.pause();
		SQL
	foreach my $end ('killed', 'crashed')
	{
		my ($holder, $upgrade) = pause_upgrade();

		$node->safe_psql('origin', <<~'SQL') if $end eq 'killed';
			SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			SQL
		$node->stop('immediate') if $end eq 'crashed';
		$upgrade->finish;
		$holder->{run}->kill_kill;
		$node->start if $end eq 'crashed';
		same_text(dump_text($node, 'origin', '--schema=crm'),
			$before, "interrupted: $end, and nothing has changed");
		is(version_of('origin', 'crm'),
			$old, "interrupted: $end, and the version is the old one");
	}
	$node->safe_psql('origin',
		'DROP EVENT TRIGGER pause; DROP FUNCTION public.pause()');
	return;
}

sub psql_as_owner
{
	my ($sql) = @_;
	my ($said, $complaint) = ('', '');
	my $run = IPC::Run::start(
		[
			'psql', '-X', '-q', '-A', '-t', '-d', $node->connstr('origin'),
			'-c',   'SET SESSION AUTHORIZATION crm_owner',
			'-c',   $sql
		],
		'<',
		\undef,
		'>',
		\$said,
		'2>',
		\$complaint);

	return ($run, \$said, \$complaint);
}

# Starts an upgrade that waits in its second step, for a session that is started
# before.
sub pause_upgrade
{
	my $holder = $node->background_psql('origin');

	$holder->query_safe('SELECT pg_advisory_lock(4711)');
	my ($upgrade) = psql_as_owner("SELECT extensions.crm_upgrade('crm')");
	$node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
	) or die 'the upgrade does not come to its second step';
	return ($holder, $upgrade);
}

# Half of the CRMs are carried over, while all of them are being written to.
sub upgrade_at_work
{
	my $data = all_data('origin');

	use_library('old');
	$old_session = open_session();
	use_library('new');

	# Two upgrades of one CRM wait for each other.
	my @runs =
	  map { [ psql_as_owner("SELECT extensions.crm_upgrade('sales')") ] }
	  1 .. 2;
	foreach my $run (@runs)
	{
		$run->[0]->finish;
		is(${ $run->[1] }, "$second\n", 'sales: upgraded');
	}
	is( join('', sort map { ${ $_->[2] } } @runs),
		"NOTICE:  schema \"sales\": carried from version $old to $first (step 1 of 2)\n"
		  . "NOTICE:  schema \"sales\": carried from version $first to $second (step 2 of 2)\n",
		'sales: by one of two at once, which says so');

	append_to_file("$dir/write.sql", <<~'SQL');
		\set deal random(1, 20)
		\set place random(1, 3)
		BEGIN;
		UPDATE :schema.deals SET amount = amount + 1, stage_id = s.id FROM :schema.stages s
		WHERE deals.external_id = 'plain ' || :deal AND s.pipeline_id = deals.pipeline_id
			AND s.name = (ARRAY['Lead', 'Qualified', 'Proposal'])[:place];
		INSERT INTO :schema.tags (name) VALUES (gen_random_uuid()::text);
		COMMIT;
		SQL
	my @writers = map {
		my ($out, $err) = ('', '');
		[
			IPC::Run::start(
				[
					'pgbench', '-n',
					'-t',      '300',
					'-c',      '3',
					'-D',      'schema=' . quoted($_),
					'-f',      "$dir/write.sql",
					$node->connstr('origin')
				],
				'<',
				\undef,
				'>&',
				\$out),
			$_,
			\$out
		]
	} 'crm', $north;
	$node->poll_query_until('origin',
		'SELECT count(*) > 20 FROM ' . quoted($_) . '.tags')
	  or die 'nobody writes'
	  foreach 'crm', $north;
	is(upgrade('origin', 'crm'), $second, 'at work: upgraded');
	foreach my $writer (@writers)
	{
		my ($run, $schema, $said) = @$writer;

		ok($run->finish, "at work: no write to $schema fails") or diag $$said;
		like(
			$$said,
			qr/number of failed transactions: 0 /,
			"at work: none of them");
	}

	is( as_owner(
			'origin',
			'SELECT schema_name, version FROM crm_installations() ORDER BY 1'
		),
		"$north|$old\ncrm|$second\nsales|$second\nteam|$old",
		'half of them: versions');
	like(
		write_in_session($old_session, 'crm'),
		qr/the CRM in schema "crm" is newer than the library.*of version \Q$second\E.*If that was done already, reconnect/s,
		'half of them: a session with the old library is told to reconnect');
	is(write_in_session($old_session, $north),
		'', 'half of them: and goes on with the others');
	everything_works('origin', 'half of them');
	new_features('crm', 'half of them');
	return;
}

# The upgraded CRM has what the releases brought.
sub new_features
{
	my ($schema, $name) = @_;

	is( $node->safe_psql(
			'origin',
			CrmTest::crm_session('crm_app', $schema)
			  . <<~'SQL'), "call\ncall", "$name: what is new");
		UPDATE deals SET next_step = '  call ' WHERE external_id = 'no stage probability';
		SELECT next_step FROM deals WHERE external_id = 'no stage probability';
		SET client_min_messages = error;
		CREATE TEMP TABLE before AS SELECT * FROM deals WHERE external_id = 'no stage probability';
		UPDATE deals SET stage_id = s.id FROM stages AS s
			WHERE s.pipeline_id = deals.pipeline_id AND s.name = 'Trial' AND deals.external_id = 'no stage probability';
		SELECT c.next_step FROM before AS b
			JOIN stage_changes AS c ON c.deal_id = b.id AND c.move_no > b.move_no;
		SQL
	is( $node->safe_psql(
			'origin',
			CrmTest::crm_session('crm_owner', $schema)
			  . <<~'SQL'), 't', "$name: a new function");
		SELECT deals_without_next_step(p.id) = (SELECT count(*) FROM deals AS d
			WHERE d.pipeline_id = p.id AND d.status = 'open' AND d.next_step IS NULL)
		FROM pipelines AS p WHERE p.name = 'Sales'
		SQL
	return;
}

sub upgrade_rest
{
	my $data = all_data('origin');
	my $reads = all_reads('origin');

	is(upgrade('origin', $_), $second, "$_: upgraded") foreach 'team', $north;
	is(upgrade('origin', $_), $second, "$_: again, for nothing")
	  foreach @schemas;
	is( as_owner(
			'origin', 'SELECT DISTINCT version FROM crm_installations()'),
		$second,
		'all of them are');
	same_text(all_data('origin'),  $data,  'upgraded: the data is the same');
	same_text(all_reads('origin'), $reads, 'upgraded: so is what is read');
	everything_works('origin', 'upgraded');
	is( $node->safe_psql('origin',
			<<~'SQL'), "00_crm_cascade_guard|O|\nmy_own_name|A|renamed\nzz_crm_row_rules|D|",
		SELECT tgname, tgenabled, obj_description(oid, 'pg_trigger') FROM pg_trigger
		WHERE tgrelid IN ('crm.exchange_rates'::regclass, 'crm.deal_tags'::regclass) AND NOT tgisinternal
		ORDER BY 1
		SQL
		'triggers keep their names and states');
	return;
}

# All members of the extension: what they are, and their definitions.
sub extension_text
{
	my ($db) = @_;

	return $node->safe_psql($db, <<~'SQL');
		SET search_path = pg_catalog;
		SELECT pg_describe_object(d.classid, d.objid, 0), obj_description(d.objid, d.classid::regclass::name),
			CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END, p.proacl,
			(to_jsonb(a) - '{aggfnoid, aggtranstype, aggmtranstype}'::text[])::text, a.aggtranstype::regtype,
			t.typacl, o.oprcode, c.castfunc::regprocedure
		FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'crm'
			LEFT JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
			LEFT JOIN pg_aggregate AS a ON a.aggfnoid = p.oid
			LEFT JOIN pg_type AS t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
			LEFT JOIN pg_operator AS o ON d.classid = 'pg_operator'::regclass AND o.oid = d.objid
			LEFT JOIN pg_cast AS c ON d.classid = 'pg_cast'::regclass AND c.oid = d.objid
		WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		ORDER BY 1
		SQL
}

# What was upgraded is what the new version installs.
sub fresh_is_upgraded
{
	upgrade('aged', $_) foreach 'crm', 'team';
	upgrade('late', 'crm');

	# Rights on what is new are the owner's to give.
	as_owner('aged', "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA $_ TO crm_app")
	  foreach 'crm', 'team';
	create_database($node, 'fresh');
	install($node, 'fresh', 'crm',  'single');
	install($node, 'fresh', 'team', 'shared');
	is(version_of('fresh', 'crm'), $second, 'fresh: of the new version');
	same_text(
		dump_text($node, 'aged',  '--schema-only'),
		dump_text($node, 'fresh', '--schema-only'),
		'upgraded CRMs are what fresh ones are');
	same_text(extension_text('aged'), extension_text('fresh'),
		'and so is the extension');
	still_works($node, 'late', 'crm', undef, 'late');
	return;
}

# Restores a dump, apart from the extension's schema where that is there.
sub restore
{
	my ($db, $dump) = @_;
	my @entries = split /\n/, run_quietly('pg_restore', '-l', $dump);
	my $exists = $node->safe_psql($db,
		"SELECT count(*) FROM pg_namespace WHERE nspname = 'extensions'");

	@entries = grep { !/ SCHEMA - extensions / } @entries if $exists;
	unlink "$dir/entries";
	append_to_file("$dir/entries", join("\n", @entries) . "\n");
	run_quietly('pg_restore', '-L', "$dir/entries", '-d', $node->connstr($db),
		$dump);
	return;
}

# The dump of the old version, into the new code: with the new SQL, and with the
# old one, which is updated later; schemas are renamed in between.
sub restore_old_dump
{
	my $upgraded = dump_text($node, 'origin', '--schema-only');

	foreach my $version ($old, $second)
	{
		my $name = "restored into SQL of $version";
		my $db = 'restored_' . $version =~ s/\./_/gr;

		create_database($node, $db);
		as_owner($db,
			"CREATE SCHEMA extensions; CREATE EXTENSION crm SCHEMA extensions VERSION '$version'"
		) if $version eq $old;
		restore($db, $old_dump);
		is( as_owner($db, 'SELECT DISTINCT version FROM crm_installations()'),
			$old,
			"$name: the CRMs are the old ones");
		everything_works($db, $name);
		$node->safe_psql($db,
			'ALTER SCHEMA extensions RENAME TO code; ALTER SCHEMA crm RENAME TO "The CRM"'
		);
		$node->safe_psql($db, 'ALTER EXTENSION crm UPDATE')
		  if $version eq $old;
		is( $node->safe_psql(
				$db,
				"SET SESSION AUTHORIZATION crm_owner; SELECT code.crm_upgrade('The CRM')"
			),
			$second,
			"$name: upgraded under other names");
		$node->safe_psql($db,
			'ALTER SCHEMA code RENAME TO extensions; ALTER SCHEMA "The CRM" RENAME TO crm'
		);

		# The computed relationships name their schema: made anew after a renaming.
		as_owner($db, q{SELECT crm_embed('crm')});
		upgrade($db, $_) foreach @schemas;
		same_text(dump_text($node, $db, '--schema-only'),
			$upgraded, "$name: what was upgraded in place");
		everything_works($db, "$name and upgraded");
	}
	return;
}
