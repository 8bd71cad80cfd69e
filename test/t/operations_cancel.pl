
# Whatever a session is doing, it stops soon when it is told to: each function, and
# each kind of write, on data that keeps it busy, with timeouts that end at points
# which differ.
#
# The limit is generous, as the machine may be busy: what does not look for
# interrupts takes as long as the data does.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $limit_ms = $ENV{CRM_CANCEL_LIMIT_MS} // 2000;
my $deals = $ENV{CRM_CANCEL_DEALS} // 60_000;
my @timeouts_ms = (3, 10, 30, 100, 300);
my $node = new_node('cancel');

create_database($node, 'cancel');
install($node, 'cancel', 'crm', 'single');
$node->safe_psql('cancel', <<~SQL);
	ALTER DATABASE cancel SET search_path = crm, extensions;
	SET search_path = crm, extensions;
	INSERT INTO pipelines (id, name, is_default) VALUES (md5('p')::uuid, 'Sales', true);
	INSERT INTO stages (id, pipeline_id, name, deal_status) SELECT md5('s' || i)::uuid, md5('p')::uuid, 'Stage ' || i,
			CASE i WHEN 499 THEN 'won' WHEN 500 THEN 'lost' ELSE 'open' END
		FROM generate_series(1, 500) AS i;
	INSERT INTO deals (id, title, amount, stage_id, stage_entered_at, expected_close_date)
		SELECT md5('d' || i)::uuid, 'Deal', i, md5('s' || 1 + i % 200)::uuid, now() - interval '300 days', current_date + i % 900
		FROM generate_series(1, $deals) AS i;
	UPDATE deals SET stage_id = md5('s' || 201 + amount::int % 200)::uuid, stage_entered_at = now() - interval '200 days';
	UPDATE deals SET stage_id = md5('s' || 401 + amount::int % 100)::uuid, stage_entered_at = now() - interval '100 days';
	INSERT INTO exchange_rates (base, quote, rate) VALUES ('CHF', 'USD', 1);
	-- one deal that goes to and fro
	DO \$\$ BEGIN FOR i IN 1 .. 3000 LOOP
		UPDATE crm.deals SET stage_id = md5('s' || 1 + i % 2)::uuid WHERE id = md5('d7')::uuid;
	END LOOP; END \$\$;
	CREATE TABLE public.big AS SELECT crm_pipeline_summary(md5(i::text)::uuid, i, 'EUR', 0.5) AS summary,
			-- 2 MB, as PostgreSQL itself looks for no interrupts while it reads JSON
			(crm_pipeline_summary(md5(i::text)::uuid, i, 'EUR', 0.5) FILTER (WHERE i <= 8000))::text AS shown
		FROM generate_series(1, 150000) AS i;
	ANALYZE;
	SQL

my @queries = reading_calls($node, 'cancel', '150 days');
push @queries,
  map { "SELECT count(v::text) FROM $_ AS v" }
  qw(stage_visits rotting_deals deal_pushes deal_facts move_facts pipeline_stage_summary);

# Summaries of many keys, and of ids that were chosen to collide.
push @queries,
  'SELECT crm_pipeline_summary(md5(i::text)::uuid, i, \'EUR\', 1) FROM generate_series(1, 200000) AS i',
  'SELECT crm_pipeline_summary((lpad(to_hex(i), 8, \'0\') || \'-0000-0000-cd8c-55edd7af51ff\')::uuid, 1, \'EUR\', 1) FROM generate_series(1, 120000) AS i',
  'SELECT length(summary::text) FROM public.big',
  'SELECT length(crm_summary_send(summary)) FROM public.big',
  'SELECT length(shown::crm_summary::text) FROM public.big',
  'SELECT count(*) FROM public.big, crm_summary_rows(summary)',
  'SELECT summary + summary = summary - summary FROM public.big',
  'SELECT crm_pipeline_summary(summary) FROM (TABLE public.big UNION ALL TABLE public.big) AS b';

# Writes, and what an owner calls.
push @queries,
  q{UPDATE deals SET stage_id = md5('s3')::uuid},
  q{UPDATE deals SET amount = amount + 1, archived_at = now()},
  q{DELETE FROM deals},
  q{INSERT INTO deals (title, amount) SELECT 'New', i FROM generate_series(1, 100000) AS i},
  q{INSERT INTO deals (id, title) SELECT md5('d' || i)::uuid, 'New' FROM generate_series(1, 50000) AS i ON CONFLICT (id) DO UPDATE SET title = 'Old'},
  q{SELECT delete_stage(id, md5('s1')::uuid) FROM stages WHERE name LIKE 'Stage 1%' AND name <> 'Stage 1'},
  q{SELECT apply_stage_probability(md5('s499')::uuid) FROM generate_series(1, 100)},
  q{SELECT reorder_stages(md5('p')::uuid, ARRAY(SELECT id FROM stages ORDER BY name))},
  q{SELECT undo_move(id) FROM deals},
  q{SELECT crm_rebuild_totals('crm')},
  q{SELECT crm_compact_totals('crm')},
  q{SELECT * FROM crm_check_totals('crm')},
  q{SELECT * FROM crm_trim_history('crm', now())},
  q{SELECT * FROM crm_forget_actor('crm', (SELECT min(changed_by) FROM stage_changes))},
  q{SELECT * FROM crm_purge_tenant('crm', '00000000-0000-0000-0000-000000000000')},
  q{TRUNCATE deals CASCADE};

# What is asked for, and the milliseconds that it took.
my $script = "\\set ON_ERROR_STOP 0\n";

foreach my $query (@queries)
{
	foreach my $timeout (@timeouts_ms)
	{
		$script .= <<~SQL;
			BEGIN;
			SET LOCAL statement_timeout = $timeout;
			\\timing on
			$query \\g /dev/null
			\\timing off
			ROLLBACK;
			-- a timeout at the end of the query cancels the first
			ROLLBACK;
			SQL
	}
}
my ($stdout, $stderr) = ('', '');
$node->psql(
	'cancel', $script,
	stdout => \$stdout,
	stderr => \$stderr,
	on_error_stop => 0);

my @times = $stdout =~ /^Time: ([\d.]+) ms/mg;
is(scalar @times, @queries * @timeouts_ms, 'each was tried');
foreach my $i (0 .. $#queries)
{
	my @late =
	  grep { $times[ $i * @timeouts_ms + $_ ] > $timeouts_ms[$_] + $limit_ms }
	  0 .. $#timeouts_ms;

	is( join(', ',
			map { "$timeouts_ms[$_]: $times[$i * @timeouts_ms + $_]" } @late),
		'',
		"soon at an end: $queries[$i]");
}
my $cancelled = () =
  $stderr =~ /canceling statement due to statement timeout/g;

cmp_ok($cancelled, '>', @queries * 2, "$cancelled were cancelled");
$stderr =~ s/^.*canceling statement due to statement timeout.*\n//mg;
unlike($stderr, qr/ERROR/, 'no other error');

done_testing();
