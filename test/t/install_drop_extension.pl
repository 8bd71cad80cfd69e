
# DROP EXTENSION is refused while there are CRMs; with CASCADE it takes the code,
# and every table, column and row stays.  A new CRM takes the rows over.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('drop');
my @schemas = map { CrmTest::quote_ident($_->[0]) } @CrmTest::crms;
my ($stdout, $stderr);

make_origin($node, 'drop');
my @tables = split /\n/, $node->safe_psql('drop', <<~'SQL');
	SELECT relname FROM pg_class
	WHERE relnamespace = 'crm'::regnamespace AND relkind = 'r' AND relname <> 'stage_totals'
	SQL

# The rows of all CRMs, and their columns.
sub rows
{
	my $text = dump_text($node, 'drop', '--data-only', '--column-inserts',
		map { ('-n', $_) } @schemas);

	$text =~ s/^--.*\n//mg;
	return sorted($text);
}

sub columns
{
	my $list = join ', ',
	  map { CrmTest::quote_literal($_->[0]) } @CrmTest::crms;

	return $node->safe_psql('drop', <<~SQL);
		SELECT attrelid::regclass, attnum, attname, format_type(atttypid, atttypmod), attnotnull, attgenerated
		FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped
			AND attrelid IN (SELECT oid FROM pg_class
				WHERE relnamespace::regnamespace::text IN (SELECT quote_ident(n) FROM unnest(ARRAY[$list]) AS n)
					AND relkind = 'r')
		ORDER BY 1, 2
		SQL
}

my $rows = rows();
my $columns = columns();

# Refused, with what is in the way.
isnt($node->psql('drop', 'DROP EXTENSION crm', stderr => \$stderr),
	0, 'DROP EXTENSION is refused');
like(
	$stderr,
	qr/cannot drop extension crm because other objects depend on it/,
	'with the reason');
my $log = slurp_file($node->logfile);
foreach my $schema ('crm', 'team', $schemas[2])
{
	ok( $log =~
		  /trigger zz_crm_deal_rules on table \Q$schema\E\.deals depends on function/,
		"naming $schema (if need be in the server's log)");
}
isnt($node->psql('drop', 'DROP SCHEMA extensions', stderr => \$stderr),
	0, 'so is DROP SCHEMA of the extension');
isnt(
	$node->psql(
		'drop',
		'ALTER EXTENSION crm SET SCHEMA public',
		stderr => \$stderr),
	0,
	'and to move it');
like(
	$stderr,
	qr/extension "crm" does not support SET SCHEMA/,
	'with the reason');
foreach my $crm (@CrmTest::crms)
{
	my ($schema, undef, @tenants) = @$crm;

	history_agrees($node, 'drop', $schema,
		"$schema: history and deals agree");
}

# With CASCADE.
$node->safe_psql('drop',
	'SET client_min_messages = error; DROP EXTENSION crm CASCADE');
is( $node->safe_psql(
		'drop', 'SELECT count(*) FROM pg_extension WHERE extname = \'crm\''),
	0,
	'with CASCADE it goes');
same_text(rows(),    $rows,    'every row is there');
same_text(columns(), $columns, 'and every column');
is($node->safe_psql('drop', 'SELECT count(*) FROM crm.contacts'),
	3, 'and the view of the contacts');
is($node->safe_psql('drop', 'SELECT count(*) FROM app.own_view'),
	50, 'views work');
is( $node->safe_psql(
		'drop',
		CrmTest::crm_session('crm_app', 'team', $CrmTest::tenants[0])
		  . 'SELECT count(*) FROM deals'),
	0,
	'without its policy, a table of several tenants shows no row');

# Putting it back as the documentation says.
my ($documented) =
  slurp_file('docs/backup-and-restore.md') =~ /^```sql\n(BEGIN;.*?)^```/ms;
my $own_columns = <<~'SQL';
	ALTER TABLE crm_new.deals ADD region text NOT NULL DEFAULT 'emea',
		ADD yearly numeric GENERATED ALWAYS AS (amount * 12) STORED, ADD "Ümlaut" text[];
	ALTER TABLE crm_new.stage_changes ADD note text DEFAULT 'automatic';
	SQL

isnt(
	$node->psql(
		'drop',
		CrmTest::crm_session('crm_owner', 'public') . $documented,
		stderr => \$stderr),
	0,
	'a column of the user that is forgotten is an error');
like($stderr, qr/column "(?:region|note)" of relation/, 'which names it');
foreach my $way (
	[ '"crm"',     'crm',   'single', $own_columns ],
	[ '"team"',    'team',  'shared', '' ],
	[ $schemas[2], 'north', 'single', '' ])
{
	my ($schema, $new, $tenancy, $columns) = @$way;
	my $sql = $documented;

	$sql =~ s/^-- ALTER TABLE .*\n/$columns/m;
	$sql =~
	  s/(?<=')crm(?=\.%)|(?<=FROM )crm(?=\.%)|(?<=SCHEMA )crm(?= RENAME)|(?<=RENAME TO )crm(?=;)/$schema/g;
	$sql =~ s/\bcrm_(new|old)\b/${new}_$1/g;
	$sql =~
	  s/crm_install\('${new}_new'\)/crm_install('${new}_new', '$tenancy')/;
	$sql =~ s/CREATE EXTENSION/$& IF NOT EXISTS/;
	$node->safe_psql('drop',
		CrmTest::crm_session('crm_owner', 'public')
		  . "SET client_min_messages = warning;\n$sql");

	foreach my $table (@tables)
	{
		is( $node->safe_psql(
				'drop',
				"SELECT to_jsonb(t)::text FROM $schema.$table t ORDER BY to_jsonb(t)::text"
			),
			$node->safe_psql(
				'drop',
				"SELECT to_jsonb(t)::text FROM ${new}_old.$table t ORDER BY to_jsonb(t)::text"
			),
			"$schema: $table has all the rows");
	}
	$node->safe_psql('drop', <<~SQL);
		GRANT USAGE ON SCHEMA $schema TO crm_app;
		GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA $schema TO crm_app;
		REVOKE UPDATE ON $schema.stage_changes, $schema.deal_changes FROM crm_app;
		GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA $schema TO crm_app;
		SQL
}
all_work($node, 'drop', 'put back');

# Dropping one CRM leaves the others, dropping all frees the extension.
$node->safe_psql('drop', <<~'SQL');
	SET client_min_messages = error;
	DROP SCHEMA crm CASCADE;
	SQL
is( $node->safe_psql(
		'drop',
		"SELECT string_agg(schema_name, ' ') FROM extensions.crm_installations()"
	),
	'Büro "Nord" 1 team',
	'one CRM dropped, two left');
still_works($node, 'drop', 'team', $CrmTest::tenants[1], 'the other one');
$node->safe_psql('drop',
	"SET client_min_messages = error; DROP SCHEMA $_ CASCADE")
  foreach @schemas[ 1, 2 ];
is($node->psql('drop', 'DROP EXTENSION crm', stderr => \$stderr),
	0, 'without a CRM, DROP EXTENSION works')
  or diag($stderr);

done_testing();
