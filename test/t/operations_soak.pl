
# Clients move deals one by one and many at once, while others sum up, rebuild,
# import, reorder and delete; meanwhile sessions are cancelled and terminated, and the
# server is killed.  What a client was told to be committed is in the history, and
# nothing but that, each time.
#
# CRM_SOAK_ROUNDS: how many times the server is killed.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $rounds = $ENV{CRM_SOAK_ROUNDS} // 20;
my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = new_node('soak');

$node->append_conf('postgresql.conf', <<~'END');
	restart_after_crash = on
	full_page_writes = on
	checkpoint_timeout = 30s
	max_wal_size = 32MB
	min_wal_size = 32MB
	END
$node->restart;
create_database($node, 'soak');
install($node, 'soak', 'crm', 'single');
$node->safe_psql('soak', <<~'SQL');
	ALTER DATABASE soak SET search_path = crm, extensions;
	SET search_path = crm;
	INSERT INTO pipelines (id, name, is_default) VALUES (md5('p')::uuid, 'Sales', true);
	INSERT INTO stages (id, pipeline_id, name)
		SELECT md5('s' || i)::uuid, md5('p')::uuid, 'Stage ' || i FROM generate_series(1, 4) AS i;
	INSERT INTO deals (id, title, amount, external_id)
		SELECT md5('d' || i)::uuid, 'Deal ' || i, i, i FROM generate_series(1, 2000) AS i;
	SQL

# A script of many transactions.  The actor names each of them, in the history as
# well; once it is committed, the client notes it with the number of its moves.
sub write_script
{
	my ($client, @statements) = @_;
	my $script = '';

	for my $i (1 .. 5000)
	{
		my $statement = $statements[ rand @statements ]->();

		$script .= <<~SQL;
			BEGIN;
			SET LOCAL crm.actor = '$client $i';
			WITH moved AS ($statement RETURNING move_no) SELECT count(*) AS moves FROM moved \\gset
			COMMIT;
			\\echo $client $i :moves
			SQL
	}
	append_to_file("$dir/$client.sql", $script);
	return $client;
}

# To the next stage, and never to the one where the deal stands: each is a move.
my $next =
  q{SET stage_id = CASE stage_id WHEN md5('s1')::uuid THEN md5('s2')::uuid WHEN md5('s2')::uuid THEN md5('s3')::uuid ELSE md5('s1')::uuid END};
my $one = sub {
	"UPDATE deals $next WHERE external_id = '" . (1 + int rand 1000) . q{'};
};
my $many = sub {
	"UPDATE deals $next WHERE id IN (SELECT id FROM deals WHERE external_id::int > 1000 ORDER BY id FOR NO KEY UPDATE)";
};
my $upsert = sub {
	my $deal = 1 + int rand 1000;

	"INSERT INTO deals (title, external_id, stage_id) VALUES ('Deal', '$deal', md5('s4')::uuid) "
	  . 'ON CONFLICT (tenant_id, external_id) DO UPDATE '
	  . $next =~ s/stage_id WHEN/deals.stage_id WHEN/r;
};

# What is not a move, over and over.
my $others = <<~'SQL';
	SELECT extensions.crm_compact_totals('crm');
	SELECT extensions.crm_rebuild_totals('crm');
	SELECT count(*) FROM reorder_stages(md5('p')::uuid,
		ARRAY(SELECT id FROM stages WHERE pipeline_id = md5('p')::uuid ORDER BY random()));
	INSERT INTO stages (pipeline_id, name) VALUES (md5('p')::uuid, 'Gone') RETURNING id AS gone \\gset
	INSERT INTO deals (title, stage_id) SELECT 'Short-lived', :'gone' FROM generate_series(1, 50);
	SELECT delete_stage(:'gone', md5('s1')::uuid);
	UPDATE deals SET amount = amount + 1, archived_at = CASE WHEN archived_at IS NULL THEN now() END
		WHERE title = 'Short-lived';
	DELETE FROM deals WHERE title = 'Short-lived';
	INSERT INTO deals (title, stage_id, created_at)
		SELECT 'Imported', md5('s1')::uuid, timestamptz '2023-01-01' + i * interval '1 hour' FROM generate_series(1, 200) AS i;
	UPDATE deals SET stage_id = md5('s2')::uuid, stage_entered_at = created_at + interval '1 day' WHERE title = 'Imported';
	SELECT count(replace_history(id, jsonb_build_array(
			jsonb_build_object('stage_id', md5('s1')::uuid, 'at', created_at),
			jsonb_build_object('stage_id', stage_id, 'at', created_at + interval '2 days')), 'a fuller one'))
		FROM (SELECT * FROM deals WHERE title = 'Imported' AND stage_id = md5('s2')::uuid ORDER BY id LIMIT 20) AS d;
	DELETE FROM deals WHERE title = 'Imported';
	SQL

append_to_file("$dir/others.sql", $others x 500);

sub start_client
{
	my ($script, @options) = @_;

	return IPC::Run::start(
		[
			'psql',             '-XqAt',
			@options,           '-f',
			"$dir/$script.sql", '-d',
			$node->connstr('soak')
		],
		'<',
		\undef,
		'>>',
		"$dir/$script.log",
		'2>>',
		"$dir/$script.err");
}

# What clients noted as committed, against the history of their transactions.
# At most one of each client's may be there without its having learnt it.
sub check_log
{
	my ($name,  @clients) = @_;
	my (%noted, %recorded);

	foreach my $client (@clients)
	{
		foreach my $line (split /\n/, slurp_file("$dir/$client.log"))
		{
			my ($who, $i, $moves) = split / /, $line;

			$noted{"$who $i"} = $moves if $moves;
		}
	}
	foreach my $line (
		split /\n/,
		$node->safe_psql(
			'soak',
			"SELECT changed_by, count(*) FROM crm.stage_changes WHERE split_part(changed_by, ' ', 1) = ANY ('{@{[join ',', @clients]}}') GROUP BY 1"
		))
	{
		my ($who, $moves) = split /\|/, $line;

		$recorded{$who} = $moves;
	}

	my @lost = grep { ($recorded{$_} // 0) != $noted{$_} } keys %noted;
	my @unknown = grep { !defined $noted{$_} } keys %recorded;

	is("@lost", '', "$name: all that was committed is recorded");
	cmp_ok(
		scalar @unknown,
		'<=',
		scalar @clients,
		"$name: and nothing else but what was under way");
	return;
}

sub signal_somebody
{
	my ($function) = @_;

	$node->psql('soak',
		"SELECT $function(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = 'soak' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
	);
	return;
}

# The processes whose parent is that one.
sub children
{
	my ($parent) = @_;

	return map { m{/(\d+)/} } grep {
		my $stat = eval { slurp_file($_) } // '';
		$stat =~ /\) \w (\d+)/ && $1 == $parent
	} glob '/proc/[0-9]*/stat';
}

# A killed server leaves sessions that end by themselves; until then it cannot start.
# (Where nothing waits for orphans, as an init does, they stay as zombies for ever.)
sub kill_server
{
	my @processes = ($node->{_pid}, children($node->{_pid}));
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;

	$node->kill9;
	while (my @left = grep { kill 0, $_ } @processes)
	{
		die "processes @left outlive the server" if time > $until;
		usleep(20_000);
	}
	$node->start;
	return;
}

my @all;
foreach my $round (1 .. $rounds)
{
	my @clients = (
		write_script("client${round}a", $one, $upsert),
		write_script("client${round}b", $one, $upsert),
		write_script("client${round}c", $many));
	my $before =
	  $node->safe_psql('soak', 'SELECT count(*) FROM stage_changes');

	# Those whose log counts stop at the first error, the other one goes on.
	my @running = (
		(map { start_client($_, '-v', 'ON_ERROR_STOP=1') } @clients),
		start_client('others'));
	$node->poll_query_until('soak',
		"SELECT count(*) > 2000 + $before FROM stage_changes")
	  or die 'no moves';
	if ($round % 3 == 0)
	{
		signal_somebody('pg_cancel_backend');
		signal_somebody('pg_terminate_backend');
	}
	usleep(rand 500_000);
	kill_server();
	foreach my $client (@running)
	{
		$client->finish;
	}
	check_log("round $round", @clients);
	is( $node->safe_psql(
			'soak', q{SELECT * FROM extensions.crm_check_totals('crm')}),
		'',
		"round $round: the totals are exact");
	is( $node->safe_psql('soak',
			<<~'SQL'), '', "round $round: each deal stands where its history says");
		SELECT d.id FROM deals AS d
			LEFT JOIN (SELECT deal_id, count(*) AS n, max(move_no) AS last FROM stage_changes GROUP BY deal_id) AS h ON h.deal_id = d.id
			LEFT JOIN stage_changes AS c ON c.tenant_id = d.tenant_id AND c.deal_id = d.id AND c.move_no = d.move_no
		WHERE (coalesce(h.n, 0), coalesce(h.last, 0)) <> (d.move_no, d.move_no) OR c.to_stage_id <> d.stage_id
		SQL
	push @all, @clients;
}
check_log('at the end', @all);
foreach my $client (@all, 'others')
{
	my $errors = slurp_file("$dir/$client.err");

	unlike(
		$errors,
		qr/deadlock|stage_changes_deal_id|corrupt|PANIC|XX000/,
		"$client: no error but those of the kills");
}
$node->command_ok(
	[ 'pg_amcheck', '--install-missing', '--heapallindexed', '-d', 'soak' ],
	'tables and indexes are sound');

done_testing();
