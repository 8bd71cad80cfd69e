
# A CRM goes on when its schema gets another name, and its tables another owner;
# in sessions that are at work, too.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('names');

make_origin($node, 'origin');
$node->safe_psql('postgres', 'CREATE ROLE crm_other LOGIN');

# One session for all of it, so that whatever it remembers goes out of date.
my $session = $node->background_psql('origin');

sub count_changes
{
	my ($schema) = @_;

	return $node->safe_psql('origin',
			'SELECT count(*) FROM '
		  . CrmTest::quote_ident($schema)
		  . '.stage_changes');
}

# Two moves, and one of them taken back.
sub moves
{
	my ($schema, $name) = @_;
	my $quoted = CrmTest::quote_ident($schema);
	my $before = count_changes($schema);

	$session->query_safe(<<~SQL);
		SET SESSION AUTHORIZATION crm_app;
		UPDATE $quoted.deals d SET stage_id = s.id FROM $quoted.stages s
		WHERE d.external_id IN ('plain 1', 'plain 2') AND s.pipeline_id = d.pipeline_id
			AND s.name IN ('Lead', 'Qualified') AND s.id <> d.stage_id;
		SELECT extensions.crm_undo_move('$quoted', id) FROM $quoted.deals WHERE external_id = 'plain 2';
		RESET SESSION AUTHORIZATION;
		SQL
	is(count_changes($schema), $before + 3, $name);
	history_agrees($node, 'origin', $schema,
		"$name: history and deals agree");
	return;
}

my $north = 'Büro "Nord" 1';

moves('crm',  'before');
moves($north, 'before, the other');
$node->safe_psql('origin', 'ALTER SCHEMA crm RENAME TO renamed');
moves('renamed', 'schema renamed');

# The names of two CRMs change places: each still writes its own history.
$node->safe_psql('origin', <<~'SQL');
	ALTER SCHEMA renamed RENAME TO crm;
	ALTER SCHEMA "Büro ""Nord"" 1" RENAME TO other;
	ALTER SCHEMA crm RENAME TO "Büro ""Nord"" 1";
	ALTER SCHEMA other RENAME TO crm;
	SQL
my $before = count_changes('crm');
moves($north, 'names swapped');
is(count_changes('crm'), $before, 'and the other one is left alone');
moves('crm', 'names swapped, the other');
$node->safe_psql('origin', <<~'SQL');
	ALTER SCHEMA crm RENAME TO other;
	ALTER SCHEMA "Büro ""Nord"" 1" RENAME TO crm;
	ALTER SCHEMA other RENAME TO "Büro ""Nord"" 1";
	SQL
moves('crm', 'names back');

# Another owner of everything; then of the deals alone, which cannot go on so.
$node->safe_psql('origin', 'REASSIGN OWNED BY crm_owner TO crm_other');
moves('crm',  'another owner');
moves($north, 'another owner, the other');
is( $node->safe_psql(
		'origin', 'SELECT DISTINCT owner FROM extensions.crm_installations()'
	),
	'crm_other',
	'who is the owner');
$node->safe_psql('origin', 'ALTER TABLE crm.deals OWNER TO crm_owner');
my $move = CrmTest::crm_session('crm_app', 'crm') . <<~'SQL';
	UPDATE deals d SET stage_id = s.id FROM stages s
	WHERE d.external_id = 'plain 3' AND s.pipeline_id = d.pipeline_id AND s.name = 'Qualified'
	SQL
my ($status, undef, $stderr) = $node->psql('origin', $move);
isnt($status, 0, 'deals of another owner than the rest move no more');
like($stderr, qr/HINT:  Give all tables of the CRM to the same owner/,
	'with a hint');
$node->safe_psql('origin', 'ALTER TABLE crm.deals OWNER TO crm_other');
moves('crm', 'one owner again');

# A copy of the database, and one CRM less.
$session->quit;
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE origin');
all_work($node, 'copy', 'copy');
$session = $node->background_psql('copy');
$node->safe_psql('copy',
	'SET client_min_messages = error; DROP SCHEMA crm, team CASCADE');
still_works($node, 'copy', $north, undef, 'the CRM that is left');
$session->quit;

done_testing();
