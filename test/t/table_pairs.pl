
# Each pair of writes, step by step, at each isolation level: one session writes and
# waits with its commit; another one, with a snapshot of before, writes too, and may
# have to wait; the first one writes the same rows once more, and commits.  There is
# no deadlock, what they are told a client can act on, and the CRM is what its
# history and its totals say.
#
# CRM_PAIR_LEVELS names some of the levels, with commas between.

use strict;
use warnings;

use CrmTest;
use CrmWrites;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @levels = split /,/,
  $ENV{CRM_PAIR_LEVELS} // 'READ COMMITTED,REPEATABLE READ,SERIALIZABLE';
my $node = new_node('pairs');

$node->append_conf('postgresql.conf',
	"deadlock_timeout = 10ms\nsynchronous_commit = off\nlog_statement = none"
);
$node->restart;

# One deal, and a stage a session.
make_pairs_crm($node, 'pairs', q{md5('d1')::uuid},
	q{md5('s' || coalesce(nullif(current_setting('test.session', true), ''), '1')::int + 1)::uuid}
);

# These wait for whoever has read deals or writes to them, as each session does.
delete @writes{qw(tie untie)};

# These write other rows each time.
my %others = map { $_ => 1 } qw(remove purge);
my $writes = join ",\n", map {
	"('$_', \$w\$$writes{$_}\$w\$, " . ($others{$_} ? 'false' : 'true') . ')'
  }
  sort keys %writes;
$node->safe_psql('pairs', <<~SQL);
	CREATE EXTENSION dblink SCHEMA public;
	CREATE TABLE public.writes (name text, statement text, repeats boolean);
	INSERT INTO public.writes VALUES $writes;
	SQL
$node->safe_psql('pairs', <<~'SQL');
	CREATE TABLE public.told (level text, first text, second text, session int, step text, state text, message text);
	CREATE TABLE public.waited (level text, first text, second text, waited boolean);
	CREATE TABLE public.wrong (level text, first text, what text);

	-- Runs a statement in a session; what it is told is noted, if it is an error.
	CREATE FUNCTION public.step(level text, a text, b text, session int, step text, statement text) RETURNS boolean
	LANGUAGE plpgsql AS $$
	DECLARE
		message text;
	BEGIN
		IF public.dblink_exec('s' || session, statement, false) <> 'ERROR' THEN
			RETURN true;
		END IF;
		message := public.dblink_error_message('s' || session);
		INSERT INTO public.told VALUES (level, a, b, session, step, NULL, message);
		RETURN false;
	END $$;

	-- What a session runs: a DO, which says its SQLSTATE by its message.
	CREATE FUNCTION public.in_words(statement text) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
		SELECT format($d$DO $do$
			DECLARE statement text;
			BEGIN
				FOREACH statement IN ARRAY string_to_array(%L, '; ') LOOP
					EXECUTE statement;
				END LOOP;
			EXCEPTION WHEN OTHERS THEN
				RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = format('[%%s] %%s', SQLSTATE, SQLERRM);
			END $do$ $d$, statement) $f$;

	CREATE PROCEDURE public.pair(level text, a text, b text) LANGUAGE plpgsql AS $$
	DECLARE
		first text := (SELECT public.in_words(w.statement) FROM public.writes AS w WHERE w.name = a);
		second text := (SELECT public.in_words(w.statement) FROM public.writes AS w WHERE w.name = b);
		pid int := (SELECT p FROM public.dblink('s2', 'SELECT pg_backend_pid()') AS d (p int));
		waits boolean := false;
		fine boolean;
	BEGIN
		PERFORM public.dblink_exec('s' || n, 'BEGIN ISOLATION LEVEL ' || level) FROM generate_series(1, 2) AS n;
		PERFORM d.n FROM generate_series(1, 2) AS s, public.dblink('s' || s, 'SELECT count(*) FROM crm.deals') AS d (n bigint);
		fine := public.step(level, a, b, 1, 'first', first);
		PERFORM public.dblink_send_query('s2', second);
		WHILE public.dblink_is_busy('s2') = 1 AND NOT waits LOOP
			waits := cardinality(pg_blocking_pids(pid)) > 0;
			PERFORM pg_sleep(0.0005);
		END LOOP;
		INSERT INTO public.waited VALUES (level, a, b, waits);
		IF fine AND (SELECT w.repeats FROM public.writes AS w WHERE w.name = a) THEN
			PERFORM public.step(level, a, b, 1, 'again', first);
		END IF;
		PERFORM public.step(level, a, b, 1, 'commit', 'COMMIT');
		PERFORM d.t FROM public.dblink_get_result('s2', false) AS d (t text);
		IF public.dblink_error_message('s2') <> 'OK' THEN
			INSERT INTO public.told VALUES (level, a, b, 2, 'second', NULL, public.dblink_error_message('s2'));
		END IF;
		PERFORM d.t FROM public.dblink_get_result('s2', false) AS d (t text);
		PERFORM public.step(level, a, b, 2, 'commit', 'COMMIT');
	END $$;

	-- What does not agree after the first write's pairs.
	CREATE PROCEDURE public.look(level text, a text) LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO public.wrong
			SELECT level, a, 'moves of ' || d.title FROM crm.deals AS d
			WHERE d.move_no <> (SELECT count(*) FROM crm.stage_changes AS c WHERE c.deal_id = d.id)
			UNION ALL SELECT level, a, 'stage of ' || d.title FROM crm.deals AS d
			WHERE d.stage_id <> (SELECT c.to_stage_id FROM crm.stage_changes AS c WHERE c.deal_id = d.id AND c.move_no = d.move_no)
			UNION ALL SELECT level, a, 'pipeline of ' || d.title FROM crm.deals AS d JOIN crm.stages AS s ON s.id = d.stage_id
			WHERE (s.pipeline_id, s.deal_status) <> (d.pipeline_id, d.status)
			UNION ALL SELECT level, a, 'two primary contacts' FROM crm.deal_contacts AS c WHERE c.is_primary GROUP BY c.deal_id HAVING count(*) > 1
			UNION ALL SELECT level, a, 'two default pipelines' FROM crm.pipelines AS p WHERE p.is_default HAVING count(*) <> 1
			UNION ALL SELECT level, a, 'totals: ' || t::text FROM extensions.crm_check_totals('crm') AS t;
	END $$;

	CREATE PROCEDURE public.all_pairs(level text) LANGUAGE plpgsql AS $$
	DECLARE
		a text;
		b text;
	BEGIN
		FOR n IN 1 .. 2 LOOP
			PERFORM public.dblink_connect('s' || n, format('host=%s port=%s dbname=%s options=''-c test.session=%s''',
				current_setting('unix_socket_directories'), current_setting('port'), current_database(), n));
		END LOOP;
		FOR a IN SELECT w.name FROM public.writes AS w ORDER BY 1 LOOP
			FOR b IN SELECT w.name FROM public.writes AS w ORDER BY 1 LOOP
				CALL public.pair(level, a, b);
				COMMIT;
			END LOOP;
			CALL public.look(level, a);
			COMMIT;
		END LOOP;
		PERFORM public.dblink_disconnect('s' || n) FROM generate_series(1, 2) AS n;
	END $$;
	SQL

foreach my $level (@levels)
{
	$node->safe_psql('pairs', "CALL public.all_pairs('$level')");
}
$node->safe_psql('pairs',
	q{UPDATE public.told SET state = substring(message FROM '\[(\w{5})\]')});

my $pairs = keys(%writes)**2 * @levels;
is($node->safe_psql('pairs', 'SELECT count(*) FROM public.waited'),
	$pairs, "$pairs pairs");
my $waited =
  $node->safe_psql('pairs',
	'SELECT count(*) FROM public.waited WHERE waited');
cmp_ok($waited, '>', $pairs / 10, "$waited waited for each other");
is($node->safe_psql('pairs', 'SELECT DISTINCT * FROM public.wrong'),
	'', 'deals, history and totals agree');
is( join("\n",
		grep { /deadlock detected/ } split /\n/,
		slurp_file($node->logfile)),
	'',
	'no deadlock');
is($node->safe_psql('pairs', <<~'SQL'), '', 'a client can act on each error');
	SELECT level, first, second, step, state, message FROM public.told
	WHERE coalesce(state, '') NOT IN ('40001', 'PT404', 'PT409', '23503', '23505', '23514', '22023')
		AND message !~ 'could not serialize access'
	SQL
is( $node->safe_psql('pairs',
		<<~'SQL'), '', 'none of which is to try again at READ COMMITTED');
	SELECT DISTINCT first, second, step, message FROM public.told WHERE level = 'READ COMMITTED' AND state = '40001'
	SQL
note $node->safe_psql('pairs',
	'SELECT level, state, count(*) FROM public.told GROUP BY 1, 2 ORDER BY 1, 2'
);

done_testing();
