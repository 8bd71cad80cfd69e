
# A backend that gets no more memory says so, and goes on once there is some; one
# that moves deals for hours needs no more than at first.
#
# CRM_MEMORY_MOVES: how many moves, of one row each.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $moves = $ENV{CRM_MEMORY_MOVES} // 5000;
my $node = new_node('memory');

$node->append_conf('postgresql.conf', <<~'END');
	restart_after_crash = off
	synchronous_commit = off
	log_statement = none
	END
$node->restart;
create_database($node, 'memory');
install($node, 'memory', 'crm', 'single');
$node->safe_psql('memory', <<~'SQL');
	ALTER DATABASE memory SET search_path = crm, extensions;
	SET search_path = crm;
	INSERT INTO pipelines (id, name, is_default) VALUES (md5('p')::uuid, 'Sales', true);
	INSERT INTO stages (id, pipeline_id, name, deal_status) SELECT md5('s' || i)::uuid, md5('p')::uuid, 'Stage ' || i,
			CASE i WHEN 5 THEN 'won' WHEN 6 THEN 'lost' ELSE 'open' END
		FROM generate_series(1, 6) AS i;
	INSERT INTO deals (id, title, amount, external_id, stage_id, created_at)
		SELECT md5('d' || i)::uuid, 'Deal', i, i, md5('s' || 1 + i % 4)::uuid, now() - interval '9 days' FROM generate_series(1, 20000) AS i;
	INSERT INTO exchange_rates (base, quote, rate) VALUES ('CHF', 'USD', 1);
	UPDATE deals SET stage_id = md5('s5')::uuid, stage_entered_at = now() - interval '8 days' WHERE amount::int % 3 = 0;
	UPDATE deals SET amount = amount + 1;
	SQL

# ---- no memory ----

SKIP:
{
	skip 'there is no prlimit here', 1
	  if system('command -v prlimit >/dev/null') != 0;

	# What needs memory that grows with the data.
	my @queries = reading_calls($node, 'memory', '7 days');
	push @queries,
	  q{SELECT mcp('{"jsonrpc":"2.0","id":1,"method":"tools/list"}')},
	  q{SELECT crm_pipeline_summary(md5(i::text)::uuid, i, 'EUR', 1)::text IS NULL FROM generate_series(1, 50000) AS i},
	  q{UPDATE deals SET stage_id = md5('s2')::uuid WHERE amount < 5000},
	  q{UPDATE deals SET amount = amount + 1},
	  q{DELETE FROM deals WHERE amount < 3000},
	  q{INSERT INTO deals (title, amount) SELECT 'New', i FROM generate_series(1, 5000) AS i},
	  q{SELECT delete_stage(md5('s1')::uuid, md5('s2')::uuid)},
	  q{SELECT crm_rebuild_totals('crm')},
	  q{SELECT crm_compact_totals('crm')},
	  q{SELECT crm_install('more')}, q{SELECT count(*) FROM crm_check('crm')},
	  q{SELECT crm_trim_history('crm', now() - interval '1 day')},
	  q{SELECT replace_history(id, jsonb_build_array(jsonb_build_object('stage_id', stage_id, 'at', created_at)), 'x') FROM deals WHERE amount < 100};

	# Each with some more memory than the session has, less than it needs; the limit
	# is that of the one backend, which has loaded the library before.
	my $sessions = 0;
	my %told;
	my @wrong;

	foreach my $query (@queries)
	{
		foreach my $more (0, 400, 2000)
		{
			my ($out, $err) = ('', '');
			my $status = $node->psql(
				'memory', <<~SQL,
				\\set VERBOSITY sqlstate
				SELECT count(*) FROM deals, crm_version() \\g /dev/null
				SELECT pg_backend_pid() AS pid \\gset
				\\setenv PID :pid
				\\! prlimit --pid \$PID --as=\$((\$(awk '/^VmSize/ { print \$2 }' /proc/\$PID/status) * 1024 + $more * 1024)):unlimited
				BEGIN;
				$query \\g /dev/null
				ROLLBACK;
				\\! prlimit --pid \$PID --as=unlimited
				SELECT 'goes on', count(*) FROM deals;
				SQL
				stdout => \$out,
				stderr => \$err,
				on_error_stop => 0);

			$sessions++;
			$told{$1}++ while $err =~ /ERROR:\s+(\w{5})/g;
			push @wrong, "$query, $more kB: $status $err"
			  if $status
			  || $out !~ /goes on\|20000/
			  || $err =~ /ERROR:\s+(?!53200)\w/;
		}
	}
	is(join("\n", @wrong), '', "$sessions sessions with little memory go on");
	cmp_ok(
		$told{53200} // 0,
		'>',
		@queries / 2,
		"$told{53200} were out of memory");
	is( $node->safe_psql(
			'memory', q{SELECT * FROM extensions.crm_check_totals('crm')}),
		'',
		'and the totals are exact');
}

# ---- one row a time, for long ----

$node->safe_psql('memory',
	'CREATE UNLOGGED TABLE public.memory (moves int, kb int)');
my $dir = PostgreSQL::Test::Utils::tempdir();
append_to_file("$dir/move.sql", <<~'SQL');
	\set deal random(1, 20000)
	\set stage random(1, 6)
	\set done :done + 1
	UPDATE deals SET stage_id = md5('s' || :stage)::uuid WHERE id = md5('d' || :deal)::uuid;
	\if :done % (:moves / 5) = 0
	INSERT INTO public.memory SELECT :done,
			substring(pg_read_file('/proc/self/status') FROM 'RssAnon:\s+(\d+)')::int;
	\endif
	SQL

# The memory that a client's backend has for itself, as it reads it while it
# moves deals, in kB.
sub watch
{
	my ($mode) = @_;

	$node->safe_psql('memory', 'TRUNCATE public.memory');
	command_ok(
		[
			'pgbench', '-n',
			'-c',      '1',
			'-M',      $mode,
			'-t',      $moves,
			'-D',      'done=0',
			'-D',      "moves=$moves",
			'-f',      "$dir/move.sql",
			$node->connstr('memory')
		],
		"$mode: $moves moves");

	my @sizes = split /\n/,
	  $node->safe_psql('memory',
		'SELECT kb FROM public.memory ORDER BY moves');
	note "$mode: @sizes kB";
	is(scalar @sizes, 5, "$mode: was looked at five times");
	cmp_ok(
		$sizes[-1], '<',
		$sizes[0] + 1000,
		"$mode: $moves moves later it has the memory that it had at first");
	return;
}

watch('simple');
watch('prepared');

done_testing();
