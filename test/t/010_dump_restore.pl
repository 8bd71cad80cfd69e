
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

	history_agrees($node, 'origin', $schema,
		"$schema: history and deals agree");
	is( $node->safe_psql(
			'origin',
			"SELECT count(*) FROM "
			  . CrmTest::quote_ident($schema)
			  . ".deals"),
		@tenants * 50,
		"$schema: has all the deals");
}

# An empty database for each restore.
sub new_database
{
	my ($owner) = @_;
	my $db = 'restored_' . ++$count;

	create_database($node, $db, $owner);
	return $db;
}

sub same_text
{
	my ($got, $expected, $name) = @_;
	my $diff = '';

	if ($got ne $expected)
	{
		foreach ([ 'got', $got ], [ 'expected', $expected ])
		{
			unlink "$dir/$_->[0]";
			append_to_file("$dir/$_->[0]", $_->[1]);
		}
		$diff =
		  `diff "$dir/expected" "$dir/got" | head -n 10 | cut -c 1-1000`;
	}
	is($diff, '', $name);
}

# The database is what the origin is, and its CRMs work.
sub is_restored
{
	my ($db, $name) = @_;

	same_text(dump_text($node, $db), $origin, "$name: identical");
	foreach my $crm (@CrmTest::crms)
	{
		my ($schema, undef, @tenants) = @$crm;

		still_works($node, $db, $schema, $_, "$name: $schema")
		  foreach @tenants;
	}
	$node->safe_psql('postgres', "DROP DATABASE $db");
	return;
}

sub psql
{
	my ($db, $file, @options) = @_;

	return ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $db, '-f',
		$file, '-o', '/dev/null', @options);
}

$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", 'origin' ],
	'plain dump');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/custom", 'origin' ],
	'custom dump');
$node->command_ok(
	[ 'pg_dump', '-Fd', '-j2', '-f', "$dir/directory", 'origin' ],
	'directory dump');

my $db = new_database();
$node->command_ok([ psql($db, "$dir/plain.sql", '-1') ], 'plain');
is_restored($db, 'plain');

$db = new_database();
$node->command_ok([ 'pg_restore', '-j4', '-d', $db, "$dir/custom" ],
	'custom');
is_restored($db, 'custom, four jobs');

$db = new_database();
$node->command_ok([ 'pg_restore', '-j2', '-d', $db, "$dir/directory" ],
	'directory');
is_restored($db, 'directory, two jobs');

foreach my $option ('--inserts', '--column-inserts')
{
	$node->command_ok(
		[ 'pg_dump', $option, '-f', "$dir/inserts.sql", 'origin' ], $option);
	$db = new_database();
	$node->command_ok([ psql($db, "$dir/inserts.sql", '-1') ], $option);
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

# The schema, then the data: now the triggers are there, and fire.
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
	$node->command_ok(
		[
			'pg_dump',              '--data-only',
			@{ $data_only{$name} }, '-f',
			"$dir/data.sql",        'origin'
		],
		$name);
	$db = new_database();
	$node->command_ok([ psql($db, "$dir/schema.sql", '-1') ],
		"$name: schema");
	$node->command_ok([ psql($db, "$dir/data.sql", '-1') ], "$name: data");
	$node->safe_psql($db, 'REFRESH MATERIALIZED VIEW app.own_matview');
	is_restored($db, $name);
}

done_testing();
