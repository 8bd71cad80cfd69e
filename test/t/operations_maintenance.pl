
# What administrators do to a database: rewriting tables, rebuilding indexes,
# pg_upgrade.  Sessions go on meanwhile.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('maintenance');
make_origin($node, 'origin');

# pg_upgrade keeps no OIDs of functions, types and the like: a CRM stores none.
is($node->safe_psql('origin', <<~'SQL'), '', 'no column holds OIDs');
	SELECT attrelid::regclass, attname, atttypid::regtype
	FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
	WHERE relnamespace::regnamespace::text IN ('crm', 'team') AND attnum > 0
		AND (atttypid::regtype::text LIKE 'reg%' OR atttypid::regtype::text IN ('oid', 'xid', 'cid', 'tid'))
	SQL
is( $node->safe_psql(
		'origin',
		"SELECT extrelocatable, extconfig IS NULL FROM pg_extension WHERE extname = 'crm'"
	),
	'f|t',
	'the extension stays where it is, and has no rows of its own to dump');

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

# pg_upgrade; to the same version, as there is but one here.
my $new = PostgreSQL::Test::Cluster->new('new');
my $before = dump_text($node, 'origin');
my $bindir = $node->config_data('--bindir');

$new->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$new->append_conf('postgresql.conf', "timezone = 'Europe/Rome'");
$node->stop;
chdir $PostgreSQL::Test::Utils::tmp_check or die;
command_ok(
	[
		'pg_upgrade', '--no-sync',    '-d', $node->data_dir,
		'-D',         $new->data_dir, '-b', $bindir,
		'-B',         $bindir,        '-s', $new->host,
		'-p',         $node->port,    '-P', $new->port
	],
	'pg_upgrade');
$new->start;
same_text(dump_text($new, 'origin'), $before, 'pg_upgrade: identical');
all_work($new, 'origin', 'pg_upgrade');

done_testing();
