
# A dump gives everything back: every catalog entry and every row, whichever way
# it was taken and restored; and what was restored works.
#
# CRM_BACKUPS=all tries each kind of dump with each kind of restore.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('dump');
my $dir = PostgreSQL::Test::Utils::tempdir();
my $all = ($ENV{CRM_BACKUPS} // '') eq 'all';
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');

make_origin($node, 'origin');

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

# ---- what there is to combine ----

my %formats = (
	'custom' => ['-Fc'],
	'directory' => [ '-Fd', '-j4' ],
	'plain' => [],
	'inserts' => ['--inserts'],
	'column inserts' => ['--column-inserts']);

# What is restored in one, or one after the other.  The triggers come last, but for
# the data alone: then they are there, and fire.
my @schemas = map { ('-n', CrmTest::quote_ident($_)) } 'app',
  map { $_->[0] } @CrmTest::crms;
my %parts = (
	'whole' => [ [] ],
	'sections' =>
	  [ map { ["--section=$_"] } 'pre-data', 'data', 'post-data' ],
	'schema, then data' => [ ['--schema-only'], ['--data-only'] ],
	'schema, then data without triggers' =>
	  [ ['--schema-only'], [ '--data-only', '--disable-triggers' ] ],
	'schemas' => [ \@schemas ]);
my %ways = (
	'empty' => [],
	'four jobs' => ['-j4'],
	'one transaction' => ['-1'],
	'by the owner' => [ '-U', 'crm_owner' ],
	'clean' => [ '--clean', '--if-exists' ]);

# In the short run, each kind once.
my %short = map { $_ => 1 } (
	'custom / whole / four jobs',
	'custom / whole / clean',
	'plain / whole / one transaction',
	'directory / whole / by the owner',
	'directory / sections / four jobs',
	'column inserts / schema, then data / by the owner',
	'custom / schema, then data without triggers / empty',
	'plain / schema, then data / one transaction',
	'custom / schemas / one transaction');

sub is_archive
{
	my ($format) = @_;

	return $format =~ /custom|directory/;
}

# Whether there is such a combination.
sub makes_sense
{
	my ($format, $parts, $way) = @_;

	return 0 if $way eq 'four jobs' && !is_archive($format);

	# Foreign keys are there, so parents have to come first.
	return 0 if $way eq 'four jobs' && $parts eq 'schema, then data';
	return 0 if $way eq 'clean' && @{ $parts{$parts} } > 1;

	# Disabling system triggers, and creating an extension beforehand, is for superusers.
	return 0
	  if $way eq 'by the owner' && $parts =~ /without triggers|schemas/;
	return 0
	  if $parts =~ /without triggers/
	  && !is_archive($format)
	  && $format ne 'plain';
	return 1;
}

# ---- dumps ----

my %dumps;
my $count = 0;

# The dump of a part; each is taken once.
sub dump_of
{
	my ($format, @options) = @_;
	my $key = join ' ', $format, @options;

	return $dumps{$key} if $dumps{$key};
	$dumps{$key} = "$dir/dump" . ++$count;
	$node->command_ok(
		[
			'pg_dump',    @{ $formats{$format} },
			@options,     '-f',
			$dumps{$key}, 'origin'
		],
		"pg_dump $key");
	return $dumps{$key};
}

# The options of a dump that pg_restore takes; of a script, those of pg_dump.
sub restore_part
{
	my ($db, $format, $way, @options) = @_;
	my @way = @{ $ways{$way} };
	my @clean = grep { /^--(clean|if-exists)/ } @way;
	my @disable = grep { $_ eq '--disable-triggers' } @options;

	if (is_archive($format))
	{
		my $file =
		  dump_of($format, grep { $_ ne '--disable-triggers' } @options);

		return $node->command_ok(
			[ 'pg_restore', '-d', $db, @way, @disable, $file ],
			"$format, $way: pg_restore @options");
	}
	@way = grep { !/^--(clean|if-exists)/ } @way;
	return $node->command_ok(
		[ psql_file($db, dump_of($format, @options, @clean), @way) ],
		"$format, $way: psql @options");
}

# What the origin is compared by; each is taken once.
my %of_origin;

sub of_origin
{
	my ($kind, @options) = @_;
	my $key = join ' ', $kind, map { $_ // '' } @options;

	$of_origin{$key} //=
	  $kind eq 'dump'
	  ? dump_text($node, 'origin', @options)
	  : digest($node, 'origin', @options);
	return $of_origin{$key};
}

# The database is what the origin is, and its CRMs work.
sub is_restored
{
	my ($db, $name, $parts) = @_;
	my $adds_up = $parts eq 'schema, then data';

	# The triggers add the deals up anew, to rows that may be others with the same sums.
	my @options = $adds_up ? ('--exclude-table-data=*.stage_totals') : ();
	my %digest = (but => $adds_up ? "= 'stage_totals'" : undef);

	if ($parts eq 'schemas')
	{
		@options = @schemas;
		$digest{schemas} =
		  q{nspname IN ('app', 'crm', 'team', 'Büro "Nord" 1')};
	}

	# A row is stored where there is room, which another vacuum may have made.
	same_text(
		sorted(dump_text($node, $db, @options)),
		sorted(of_origin('dump', @options)),
		"$name: the same dump");
	same_text(
		digest($node, $db, %digest),
		of_origin('digest', %digest),
		"$name: the same catalogs and rows");
	if ($all)
	{
		all_work($node, $db, $name);
	}
	else
	{
		still_works($node, $db, 'crm', undef, $name);
	}
	return;
}

sub try_combination
{
	my ($format, $parts, $way) = @_;
	my $name = "$format / $parts / $way";
	my $db = 'restored_' . ++$count;
	local $ENV{PGOPTIONS} = '';

	if ($way eq 'clean')
	{
		# Over what is there, which changed since.
		$node->safe_psql('postgres',
			"CREATE DATABASE $db TEMPLATE origin OWNER crm_owner");
		$node->safe_psql($db,
			'UPDATE crm.deals SET amount = 0; DELETE FROM team.deals; ALTER TABLE crm.tags ADD later int'
		);
	}
	else
	{
		create_database($node, $db);
	}
	if ($parts eq 'schemas' && $way ne 'clean')
	{
		$node->safe_psql($db, <<~'SQL');
			CREATE SCHEMA extensions;
			GRANT USAGE ON SCHEMA extensions TO crm_app, crm_agent, crm_owner;
			CREATE EXTENSION crm SCHEMA extensions;
			SQL
	}
	foreach my $part (@{ $parts{$parts} })
	{
		$ENV{PGOPTIONS} = '-c crm.restoring=on'
		  if ($part->[0] // '') eq '--data-only';
		restore_part($db, $format, $way, @$part);
		$ENV{PGOPTIONS} = '';
	}
	$node->safe_psql($db, 'REFRESH MATERIALIZED VIEW app.own_matview')
	  if $parts =~ /then data/;

	# pg_restore enables what it disabled, as if all triggers had been plain ones.
	$node->safe_psql($db,
		'ALTER TABLE crm.deals ENABLE ALWAYS TRIGGER own_trigger')
	  if $parts =~ /without triggers/;
	is_restored($db, $name, $parts);
	$node->safe_psql('postgres', "DROP DATABASE $db");
	return;
}

foreach my $format (sort keys %formats)
{
	foreach my $parts (sort keys %parts)
	{
		foreach my $way (sort keys %ways)
		{
			try_combination($format, $parts, $way)
			  if $all
			  ? makes_sense($format, $parts, $way)
			  : $short{"$format / $parts / $way"};
		}
	}
}

# A whole server, into another one.
my $other = PostgreSQL::Test::Cluster->new('other');
$other->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$other->append_conf('postgresql.conf', "timezone = 'Europe/Rome'");
$other->start;
$node->command_ok([ 'pg_dumpall', '-f', "$dir/all.sql" ], 'pg_dumpall');
$other->command_checks_all(
	[ 'psql', '-X', '-q', '-d', 'postgres', '-f', "$dir/all.sql" ],
	0,
	[],
	[
		qr/\A\S+ ERROR:  role "$superuser" already exists\n(?:(?!\S+ ERROR).*\n)*\z/
	],
	'restored but for the role that each server has');
same_text(
	sorted(dump_text($other, 'origin')),
	sorted(dump_text($node,  'origin')),
	'pg_dumpall: the same dump');
same_text(
	digest($other, 'origin'),
	digest($node,  'origin'),
	'pg_dumpall: the same catalogs and rows');
all_work($other, 'origin', 'pg_dumpall');

done_testing();
