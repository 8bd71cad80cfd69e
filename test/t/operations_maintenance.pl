
# What administrators do to a database: rewriting tables, rebuilding indexes.
# Sessions go on meanwhile.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('maintenance');
make_origin($node, 'origin');

# A session that moves a deal between what others, or it, do to the tables.
my @jobs = (
	'VACUUM FULL',
	'CLUSTER crm.deals USING deals_pkey; CLUSTER crm.stages USING stages_pkey',
	'REINDEX DATABASE CONCURRENTLY origin',
	'REINDEX SCHEMA crm',
	'ANALYZE; VACUUM (FREEZE, DISABLE_PAGE_SKIPPING)',
	'ALTER TABLE crm.deals ADD COLUMN added float DEFAULT random()',
	'ALTER TABLE crm.deals ALTER added TYPE numeric',
	'ALTER TABLE crm.deals DROP added',
	'DROP INDEX crm.deals_owner_id_idx; CREATE INDEX CONCURRENTLY deals_owner_id_idx ON crm.deals (owner_id)',
	'ALTER EXTENSION crm UPDATE',
	'SELECT pg_stat_reset(); DISCARD PLANS');
my $session = $node->background_psql('origin');

$session->query_safe(CrmTest::crm_session('crm_app', 'crm'));

sub moves
{
	my ($name) = @_;

	is($session->query_safe(<<~'SQL'), 't', $name);
		WITH moved AS (
			UPDATE deals SET stage_id = s.id FROM stages s
			WHERE deals.external_id IN ('plain 1', 'plain 2', 'plain 3') AND s.pipeline_id = deals.pipeline_id
				AND s.name IN ('Lead', 'Qualified') AND s.id <> deals.stage_id
			RETURNING deals.move_no)
		SELECT count(*) = 3 FROM moved;
		SQL
	history_agrees($node, 'origin', 'crm', "$name: history and deals agree");
	return;
}

moves('before');
foreach my $job (@jobs)
{
	$node->safe_psql('origin', $_) foreach split /; /, $job;
	moves($job);
}
$session->quit;
all_work($node, 'origin', 'after maintenance');
$node->command_ok(
	[
		'pg_amcheck',       '--install-missing',
		'--heapallindexed', '--parent-check',
		'-d',               'origin'
	],
	'tables and indexes are sound');
$node->safe_psql('origin', 'DROP EXTENSION amcheck');

done_testing();
