
# After a crash, what was committed is there, and the history of every deal
# agrees with where it stands.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_node('crash');
my $dir = PostgreSQL::Test::Utils::tempdir();

# Full pages and checkpoints all the time; what the default test settings leave out.
$node->append_conf('postgresql.conf', <<~'END');
	restart_after_crash = on
	full_page_writes = on
	checkpoint_timeout = 30s
	max_wal_size = 32MB
	min_wal_size = 32MB
	END
$node->restart;

create_database($node, 'crash');
install($node, 'crash', 'crm', 'single');
fill($node, 'crash', 'crm');
$node->safe_psql('crash', <<~'SQL');
	INSERT INTO crm.deals (title, external_id, amount, stage_id)
	SELECT 'Bulk ' || i, 'bulk ' || i, i, s.id
	FROM generate_series(1, 5000) AS i, crm.stages s JOIN crm.pipelines p ON p.id = s.pipeline_id AND p.is_default
	WHERE s.name = 'Lead';
	SQL

append_to_file("$dir/one.sql", <<~'SQL');
	\set deal random(1, 5000)
	\set place random(1, 3)
	BEGIN;
	UPDATE crm.deals SET stage_id = s.id, amount = amount + 1 FROM crm.stages s
	WHERE deals.external_id = 'bulk ' || :deal AND s.pipeline_id = deals.pipeline_id
		AND s.name = (ARRAY['Lead', 'Qualified', 'Won'])[:place];
	COMMIT;
	SQL
append_to_file("$dir/many.sql", <<~'SQL');
	UPDATE crm.deals SET stage_id = s.id FROM crm.stages s
	WHERE deals.external_id LIKE 'bulk %' AND s.pipeline_id = deals.pipeline_id
		AND s.name = CASE WHEN deals.status = 'won' THEN 'Qualified' ELSE 'Won' END;
	SQL

# Clients that move single deals, and one that moves all of them at once.
sub start_moving
{
	my @pgbench = ('pgbench', '-n', '-T', '600', '--max-tries', '100');
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;

	return
	  map { IPC::Run::start($_, '<', \undef, '>', \my $out, '2>', \my $err) }
	  ( [ @pgbench, '-c', '4', '-f', "$dir/one.sql",  'crash' ],
		[ @pgbench, '-c', '1', '-f', "$dir/many.sql", 'crash' ]);
}

sub count_moves
{
	return $node->safe_psql('crash',
		'SELECT count(*) FROM crm.stage_changes');
}

my %ways = (
	'server stopped at once' =>
	  sub { $node->stop('immediate'); $node->start },
	'backend killed' => sub {
		my $pid;

		until ($pid)
		{
			$pid = $node->safe_psql('postgres', <<~'SQL');
				SELECT pid FROM pg_stat_activity
				WHERE query LIKE 'UPDATE%status%' AND state = 'active'
				SQL
		}
		kill 'KILL', $pid or die;
	});

foreach my $round (1, 2)
{
	foreach my $way (sort keys %ways)
	{
		my $before = count_moves();
		my @clients = start_moving();

		$node->poll_query_until('crash',
			"SELECT count(*) > 20000 + $before FROM crm.stage_changes")
		  or die "no moves";
		usleep(rand 500_000);
		$ways{$way}->();

		# All sessions end, then the server is back.
		$_->finish foreach @clients;
		$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()')
		  or die "the server is not back";
		cmp_ok(
			count_moves(), '>',
			20000 + $before,
			"$way, round $round: no move is lost");
		history_agrees($node, 'crash', 'crm',
			"$way, round $round: history and deals agree");
	}
}

still_works($node, 'crash', 'crm', undef, 'after crashes');
$node->command_ok(
	[ 'pg_amcheck', '--install-missing', '--heapallindexed', '-d', 'crash' ],
	'tables and indexes are sound');

done_testing();
