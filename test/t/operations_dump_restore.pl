
# A dump gives everything back: every catalog entry and every row, whichever way
# it was taken and restored; and what was restored works.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('dump');
my $dir = PostgreSQL::Test::Utils::tempdir();
my $count = 0;

make_origin($node, 'origin');
my $origin = dump_text($node, 'origin');

foreach my $crm (@CrmTest::crms)
{
	my ($schema, undef, @tenants) = @$crm;
	my $name = CrmTest::quote_ident($schema);

	history_agrees($node, 'origin', $schema,
		"$schema: history and deals agree");
	is( $node->safe_psql('origin', "SELECT count(*) FROM $name.deals"),
		@tenants * 50,
		"$schema: has all the deals");
}

# An empty database for each restore.
sub new_database
{
	my $db = 'restored_' . ++$count;

	create_database($node, $db);
	return $db;
}

# The database is what the origin is, and its CRMs work.
sub is_restored
{
	my ($db, $name, @options) = @_;

	same_text(
		dump_text($node, $db, @options),
		@options ? dump_text($node, 'origin', @options) : $origin,
		"$name: identical");
	all_work($node, $db, $name);
	$node->safe_psql('postgres', "DROP DATABASE $db");
	return;
}

$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", 'origin' ],
	'plain dump');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/custom", 'origin' ],
	'custom dump');
$node->command_ok(
	[ 'pg_dump', '-Fd', '-j2', '-f', "$dir/directory", 'origin' ],
	'directory dump');

my $db = new_database();
$node->command_ok([ psql_file($db, "$dir/plain.sql", '-1') ], 'plain');
is_restored($db, 'plain');

$db = new_database();
$node->command_ok([ 'pg_restore', '-j4', '-d', $db, "$dir/custom" ],
	'custom, four jobs');
is_restored($db, 'custom, four jobs');

$db = new_database();
$node->command_ok([ 'pg_restore', '-j2', '-d', $db, "$dir/directory" ],
	'directory, two jobs');
is_restored($db, 'directory, two jobs');

foreach my $option ('--inserts', '--column-inserts')
{
	$node->command_ok(
		[ 'pg_dump', $option, '-f', "$dir/inserts.sql", 'origin' ],
		"dump $option");
	$db = new_database();
	$node->command_ok([ psql_file($db, "$dir/inserts.sql", '-1') ], $option);
	is_restored($db, $option);
}

# A section at a time: the triggers come last.
$db = new_database();
foreach my $section ('pre-data', 'data', 'post-data')
{
	$node->command_ok(
		[ 'pg_restore', '-d', $db, "--section=$section", "$dir/custom" ],
		$section);
}
is_restored($db, 'sections');

# Over what is there, which changed since.
$db = new_database();
$node->command_ok([ 'pg_restore', '-d', $db, "$dir/custom" ],
	'before --clean');
$node->safe_psql($db,
	'UPDATE crm.deals SET amount = 0; DELETE FROM team.deals');
$node->command_ok(
	[
		'pg_restore', '--clean', '--if-exists', '-1', '-d', $db,
		"$dir/custom"
	],
	'--clean');
is_restored($db, '--clean');

# The schema, then the data: now the triggers are there, and fire.  They add the
# deals up anew, to rows of stage_totals that may be others with the same sums.
$node->command_ok(
	[ 'pg_dump', '--schema-only', '-f', "$dir/schema.sql", 'origin' ],
	'schema only');
my %data_only = (
	'data, triggers disabled' => ['--disable-triggers'],
	'data' => [],
	'data as inserts' => ['--inserts'],
	'data as column inserts' => [
		'--column-inserts', '--on-conflict-do-nothing',
		'--rows-per-insert=7'
	]);
foreach my $name (sort keys %data_only)
{
	foreach my $user ('crm_owner',
		$node->safe_psql('postgres', 'SELECT current_user'))
	{
		next if $user eq 'crm_owner' && $name =~ /disabled/;
		$node->command_ok(
			[
				'pg_dump',              '--data-only',
				@{ $data_only{$name} }, '-f',
				"$dir/data.sql",        'origin'
			],
			"$name: dump");
		$db = new_database();
		$node->command_ok([ psql_file($db, "$dir/schema.sql", '-1') ],
			"$name: schema");
		{
			local $ENV{PGOPTIONS} = '-c crm.restoring=on';

			$node->command_ok(
				[ psql_file($db, "$dir/data.sql", '-1', '-U', $user) ],
				"$name, by $user");
		}
		$node->safe_psql($db, 'REFRESH MATERIALIZED VIEW app.own_matview');
		is_restored(
			$db,
			"$name, by $user",
			'--exclude-table-data=*.stage_totals');
	}
}

done_testing();
