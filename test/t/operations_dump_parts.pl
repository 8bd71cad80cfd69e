
# Dumps of a part of a database, and restores into databases and by roles that
# differ from the original's: the rows come back, or a clear error does.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('parts');
my $dir = PostgreSQL::Test::Utils::tempdir();
my $north = '"Büro ""Nord"" 1"';

make_origin($node, 'origin');
$node->safe_psql('postgres', 'CREATE ROLE crm_other LOGIN');

# They name the role that they are of, so that only that one can restore them.
$node->safe_psql('origin', <<~'SQL');
	ALTER DEFAULT PRIVILEGES FOR ROLE crm_owner IN SCHEMA app REVOKE SELECT ON TABLES FROM crm_agent
	SQL
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/custom", 'origin' ],
	'dump');

# All rows, in a fixed order.  Where triggers add the deals up anew, the rows of
# stage_totals may be others with the same sums.
sub rows_of
{
	my ($db, @options) = @_;
	my $text = dump_text($node, $db, '--data-only', '--inserts',
		'--exclude-table-data=*.stage_totals', @options);

	$text =~ s/^--.*\n//mg;
	return sorted($text);
}

# Loads data into a CRM, as docs/backup-and-restore.md says.
sub restores
{
	my ($db, $file, $name) = @_;
	local $ENV{PGOPTIONS} = '-c crm.restoring=on';

	$node->command_ok([ psql_file($db, $file, '-1') ], $name);
	return;
}

# Rows that were deleted come back, those that are there stay.
$node->safe_psql('postgres', 'CREATE DATABASE merged TEMPLATE origin');
$node->command_ok(
	[
		'pg_dump',   '--data-only',
		'--inserts', '--on-conflict-do-nothing',
		'-f',        "$dir/merge.sql",
		'origin'
	],
	'dump as inserts');
$node->safe_psql('merged', <<~SQL);
	DELETE FROM crm.deals WHERE status = 'open';
	DELETE FROM $north.deal_tags;
	DELETE FROM $north.deals;
	SET session_replication_role = replica;	-- history speaks of them
	DELETE FROM $north.stages WHERE probability > 0.2;
	SQL
restores('merged', "$dir/merge.sql", 'rows put back');
my @but_changes = ('--exclude-table-data=*.deal_changes');
same_text(
	rows_of('merged', @but_changes),
	rows_of('origin', @but_changes),
	'rows put back: all are there');
is( $node->safe_psql(
		'merged',
		"SELECT count(*) FILTER (WHERE change = 'restored') > 5, count(*) FILTER (WHERE change = 'restored')
			= count(*) FILTER (WHERE change = 'deleted') FROM crm.deal_changes
			WHERE recorded_at > (SELECT max(recorded_at) FROM crm.stage_changes)"
	),
	't|t',
	'that they were gone is recorded');
all_work($node, 'merged', 'rows put back');

# One table.
$node->safe_psql('postgres', 'CREATE DATABASE one_table TEMPLATE origin');
$node->command_ok(
	[
		'pg_dump', '--data-only',    '-t', 'crm.deals',
		'-f',      "$dir/deals.sql", 'origin'
	],
	'dump of deals');
$node->safe_psql('one_table', 'DELETE FROM crm.deals');
restores('one_table', "$dir/deals.sql", 'one table');
same_text(
	rows_of('one_table', '-t', 'crm.deals'),
	rows_of('origin',    '-t', 'crm.deals'),
	'one table: all rows are there');
still_works($node, 'one_table', 'crm', undef, 'one table');

# One schema, into a database that has the extension.
create_database($node, 'one_schema');
$node->safe_psql('one_schema', <<~'SQL');
	CREATE SCHEMA extensions;
	GRANT USAGE ON SCHEMA extensions TO crm_app, crm_owner;
	CREATE EXTENSION crm SCHEMA extensions;
	SQL
$node->command_ok(
	[ 'pg_dump', '-n', $north, '-f', "$dir/schema.sql", 'origin' ],
	'dump of a schema');
$node->command_ok([ psql_file('one_schema', "$dir/schema.sql", '-1') ],
	'one schema');
same_text(
	dump_text($node, 'one_schema', '-n', $north),
	dump_text($node, 'origin',     '-n', $north),
	'one schema: identical');
still_works($node, 'one_schema', 'Büro "Nord" 1', undef, 'one schema');

# A linked one goes with the contacts; not without them.
$node->command_ok(
	[ 'pg_dump', '-n', 'crm', '-f', "$dir/schema.sql", 'origin' ],
	'dump without contacts');
$node->command_fails_like(
	[ psql_file('one_schema', "$dir/schema.sql", '-1') ],
	qr/relation "app.people" does not exist/,
	'a linked CRM without its contacts is refused');
is($node->safe_psql('one_schema', "SELECT to_regnamespace('crm') IS NULL"),
	't', 'entirely');
$node->command_ok(
	[
		'pg_dump', '-n', 'crm', '-n', 'app', '-f', "$dir/schema.sql",
		'origin'
	],
	'dump with contacts');
$node->command_ok([ psql_file('one_schema', "$dir/schema.sql", '-1') ],
	'with its contacts');
same_text(
	dump_text($node, 'one_schema', '-n', 'crm', '-n', 'app'),
	dump_text($node, 'origin',     '-n', 'crm', '-n', 'app'),
	'with its contacts: identical');
still_works($node, 'one_schema', 'crm', undef, 'with its contacts');

# The extension stands in another schema there: refused, as a whole.  A CRM that
# is installed anew takes the rows.
create_database($node, 'elsewhere');
$node->safe_psql('elsewhere',
	'CREATE SCHEMA tools; CREATE EXTENSION crm SCHEMA tools');
$node->command_fails_like(
	[ 'pg_restore', '-1', '-d', 'elsewhere', "$dir/custom" ],
	qr/function extensions\.\w+\(.*\) does not exist|type "extensions\.\w+" does not exist/,
	'extension in another schema');
is($node->safe_psql('elsewhere', "SELECT to_regnamespace('crm') IS NULL"),
	't', 'nothing is left');
$node->safe_psql('elsewhere', <<~'SQL');
	SET client_min_messages = warning;
	SELECT tools.crm_install('crm');
	SELECT tools.crm_install('team', 'shared');
	ALTER TABLE crm.deals ADD region text, ADD yearly numeric GENERATED ALWAYS AS (amount * 12) STORED,
		ADD "Ümlaut" text[];
	ALTER TABLE crm.stage_changes ADD note text;
	SQL
$node->command_ok(
	[
		'pg_dump', '--data-only', '-n', 'crm',
		'-n',      'team',        '-f', "$dir/rows.sql",
		'origin'
	],
	'dump of rows');
restores('elsewhere', "$dir/rows.sql", 'into new CRMs');
same_text(
	rows_of('elsewhere', '-n', 'crm', '-n', 'team'),
	rows_of('origin',    '-n', 'crm', '-n', 'team'),
	'into new CRMs: all rows are there');

# By the owner, who is no superuser.
create_database($node, 'by_owner');
$node->command_ok(
	[
		'pg_restore', '-1', '-U', 'crm_owner', '-d', 'by_owner',
		"$dir/custom"
	],
	'by the owner');
same_text(
	dump_text($node, 'by_owner'),
	dump_text($node, 'origin'),
	'by the owner: identical');
all_work($node, 'by_owner', 'by the owner');

# By somebody else, who becomes the owner.
create_database($node, 'by_other', 'crm_other');
$node->command_ok(
	[
		'pg_restore', '-1', '--no-owner', '-U',
		'crm_other',  '-d', 'by_other',   "$dir/custom"
	],
	'by another');

# Rows, whose columns are separated by tabs, keep the name of who wrote them.
my $renamed = dump_text($node, 'origin');
$renamed = join "\n",
  map { /\t/ ? $_ : s/\bcrm_owner\b/crm_other/gr } split /\n/, $renamed;
same_text(sorted(dump_text($node, 'by_other')),
	sorted($renamed), 'by another: identical but for the owner');
all_work($node, 'by_other', 'by another');

# Where a superuser has created the extension, the comment on it is not the
# owner's to set: the one error, and nothing else is missing.
create_database($node, 'prepared');
$node->safe_psql('prepared', <<~'SQL');
	CREATE SCHEMA extensions AUTHORIZATION crm_owner;
	CREATE EXTENSION crm SCHEMA extensions;
	SQL
$node->command_checks_all(
	[ 'pg_restore', '-U', 'crm_owner', '-d', 'prepared', "$dir/custom" ],
	1,
	[qr/^$/],
	[
		qr/must be owner of extension crm.*schema "extensions" already exists|schema "extensions" already exists.*must be owner of extension crm.*errors ignored on restore: 2/s
	],
	'prepared by a superuser');
same_text(rows_of('prepared'), rows_of('origin'),
	'prepared by a superuser: all rows are there');
all_work($node, 'prepared', 'prepared by a superuser');

# Disabling triggers is for superusers: refused, nothing changed.
create_database($node, 'no_disabling');
$node->command_ok(
	[ 'pg_restore', '--schema-only', '-d', 'no_disabling', "$dir/custom" ],
	'schema');
$node->command_fails_like(
	[
		'pg_restore',  '-1',
		'--data-only', '--disable-triggers',
		'-U',          'crm_owner',
		'-d',          'no_disabling',
		"$dir/custom"
	],
	qr/permission denied: "RI_ConstraintTrigger_\w+" is a system trigger/,
	'triggers disabled by the owner');
is($node->safe_psql('no_disabling', 'SELECT count(*) FROM crm.deals'),
	0, 'nothing is loaded');

# A complete dump does not put parents first: refused, unless triggers are off.
$node->command_fails_like(
	[
		'pg_restore', '-1', '--data-only', '-d', 'no_disabling',
		"$dir/custom"
	],
	qr/violates foreign key|does not exist/,
	'data of a complete dump, triggers on');
$node->command_ok(
	[
		'pg_restore',  '-1',
		'--data-only', '--disable-triggers',
		'-d',          'no_disabling',
		"$dir/custom"
	],
	'data of a complete dump, triggers off');
same_text(rows_of('no_disabling'), rows_of('origin'),
	'data of a complete dump: all rows are there');

# Who sees some of the rows only does not get a dump that lacks the others.
$node->command_fails_like(
	[ 'pg_dump', '-U', 'crm_app', '-t', 'team.deals', 'origin' ],
	qr/query would be affected by row-level security policy for table "deals"/,
	'dump by one who sees a part');

# The tables of a CRM, as its schema has them.
sub tables_of
{
	my ($db, $schema) = @_;

	return split /\n/, $node->safe_psql($db, <<~SQL);
		SELECT relname FROM pg_class WHERE relnamespace = \$s\$$schema\$s\$::regnamespace
			AND relkind IN ('r', 'p') ORDER BY 1
		SQL
}

# One tenant's rows, by one who sees no others, and has no other rights than the
# extension gives.
$node->safe_psql('origin', <<~'SQL');
	CREATE ROLE crm_tenant_saver LOGIN;
	SELECT extensions.crm_grant_access('team', 'crm_tenant_saver', 'read');
	SQL
my @tenant_dump = (
	'pg_dump',               '-U',
	'crm_tenant_saver',      '--data-only',
	'--enable-row-security', '--inserts',
	'-n',                    'team',
	'-T',                    'team.stage_totals',
	'-f',                    "$dir/tenant.sql",
	'origin');
$node->command_fails_like(\@tenant_dump, qr/this session names no tenant/,
	'no tenant');
{
	local $ENV{PGOPTIONS} = "-c crm.tenant_id=$CrmTest::tenants[0]";

	$node->command_ok(\@tenant_dump, 'dump of a tenant');
	create_database($node, 'tenant');
	install($node, 'tenant', 'team', 'shared');
	restores('tenant', "$dir/tenant.sql", 'one tenant');
}
foreach my $table (grep { $_ ne 'stage_totals' } tables_of('tenant', 'team'))
{
	my $query =
	  "SELECT t FROM team.$table t WHERE tenant_id = '$CrmTest::tenants[0]' ORDER BY 1";

	is( $node->safe_psql('tenant', "SELECT t FROM team.$table t ORDER BY 1"),
		$node->safe_psql('origin', $query),
		"one tenant: $table");
}
still_works($node, 'tenant', 'team', $CrmTest::tenants[0], 'one tenant');

# The data of a dump in the place of what is there, by the commands of the documentation.
my ($recipe) =
  slurp_file('docs/backup-and-restore.md') =~ /```sql\n(.*?)```/s;
$node->safe_psql('postgres', 'CREATE DATABASE replaced TEMPLATE origin');
$node->safe_psql('origin',
	"INSERT INTO crm.exchange_rates (base, quote, rate) VALUES ('EUR', 'USD', 1.1) ON CONFLICT DO NOTHING"
);
$node->safe_psql('replaced', <<~'SQL');
	INSERT INTO crm.exchange_rates (base, quote, rate, valid_from) VALUES ('CHF', 'USD', 1, '2001-01-01');
	INSERT INTO crm.tags (name) VALUES ('not in the dump');
	UPDATE crm.deals SET title = title || '!';
	SQL
$node->safe_psql('replaced', $recipe);
foreach my $table (grep { $_ ne 'stage_totals' } tables_of('replaced', 'crm'))
{
	is($node->safe_psql('replaced', "SELECT count(*) FROM crm.$table"),
		0, "put back: $table is empty");
}
$node->command_ok(
	[
		'pg_dump', '--data-only', '-n', 'crm', '-f', "$dir/back.sql",
		'origin'
	],
	'dump of the data');
restores('replaced', "$dir/back.sql", 'put back');
same_text(
	rows_of('replaced', '-n', 'crm'),
	rows_of('origin',   '-n', 'crm'),
	'put back: all rows, and no others');
all_work($node, 'replaced', 'put back');

# What no rule would allow, such as times of a clock that was wrong, is refused if
# it is not restored.
$node->safe_psql('postgres', 'CREATE DATABASE future TEMPLATE origin');
$node->safe_psql('future',   <<~SQL);
	SET session_replication_role = replica;
	UPDATE $north.deals SET stage_entered_at = now() + interval '1 day' WHERE external_id = 'won';
	SQL
$node->command_ok(
	[
		'pg_dump', '--data-only',     '-n', $north,
		'-f',      "$dir/future.sql", 'future'
	],
	'dump with a deal in the future');
$node->safe_psql('future',
	$recipe =~ s/'crm'/CrmTest::quote_literal($north)/er);
$node->command_fails_like(
	[ psql_file('future', "$dir/future.sql", '-1') ],
	qr/takes no new deals|cannot enter a stage as of .* in the future/,
	'a deal in the future is refused');
is($node->safe_psql('future', "SELECT count(*) FROM $north.deals"),
	0, 'nothing is loaded');
restores('future', "$dir/future.sql", 'unless it is restored');
same_text(
	rows_of('future', '-n', $north, '--exclude-table=*.deals'),
	rows_of('origin', '-n', $north, '--exclude-table=*.deals'),
	'restored: all rows are there');

# Who is not the owner cannot restore.
{
	local $ENV{PGOPTIONS} = '-c crm.restoring=on';

	$node->safe_psql('one_table', 'GRANT INSERT ON crm.deals TO crm_app');
	$node->command_fails_like(
		[
			'psql', '-X', '-U', 'crm_app', '-d', 'one_table', '-c',
			"INSERT INTO crm.deals (title) VALUES ('x')"
		],
		qr/only the owner of table "deals" can restore rows/,
		'restored by one who may insert');
}

done_testing();
