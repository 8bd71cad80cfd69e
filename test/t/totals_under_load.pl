# The totals under load: writers of every kind with savepoints and rollbacks,
# at every isolation level, while others sum up and check.  Then on a standby,
# on a subscriber, after a crash, and computed anew.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{CRM_STRESS_SECONDS} // 10;
my $clients = 6;

my $node = PostgreSQL::Test::Cluster->new('totals');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', 'max_prepared_transactions = 10');
$node->start;

$node->safe_psql('postgres', <<~'SQL');
	SET client_min_messages = warning;
	CREATE SCHEMA extensions;
	CREATE EXTENSION crm SCHEMA extensions;
	SELECT extensions.crm_install();
	ALTER DATABASE postgres SET search_path = crm, extensions;
	SET search_path = crm, extensions;
	INSERT INTO pipelines (name, is_default) VALUES ('Sales', true), ('Renewals', false), ('Partners', false);
	INSERT INTO stages (pipeline_id, name, deal_status, probability)
		SELECT p.id, s.* FROM pipelines AS p,
			(VALUES ('Lead', 'open', 0.1), ('Offer', 'open', 0.55), ('Won', 'won', 1), ('Lost', 'lost', 0))
				AS s (name, deal_status, probability);
	CREATE SCHEMA t;

	CREATE FUNCTION t.any_stage() RETURNS uuid LANGUAGE sql VOLATILE AS
		'SELECT id FROM crm.stages ORDER BY random() LIMIT 1';

	-- Some deals; in the order of their ids, so that writers do not lock each
	-- other out more than need be.
	CREATE FUNCTION t.some(share float8) RETURNS SETOF uuid LANGUAGE sql VOLATILE AS
		'SELECT id FROM (SELECT id FROM crm.deals WHERE random() < share ORDER BY id FOR UPDATE) AS d';

	-- One write of any kind.
	CREATE FUNCTION t.write() RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		share float8 := CASE WHEN random() < 0.9 THEN 0.01 ELSE 0.2 END;
		stage uuid := t.any_stage();
	BEGIN
		CASE floor(random() * 12)::int
			WHEN 0 THEN
				INSERT INTO crm.deals (title, amount, currency, value_period, stage_id)
					SELECT 'new', CASE WHEN random() < 0.9 THEN round(random()::numeric * 1e6, 4) END,
						(ARRAY['USD', 'EUR', NULL])[1 + floor(random() * 3)::int],
						(ARRAY['one_time', 'annual'])[1 + floor(random() * 2)::int], t.any_stage()
					FROM generate_series(1, 1 + floor(random() * 10)::int);
			WHEN 1 THEN
				DELETE FROM crm.deals WHERE id IN (SELECT t.some(0.01));
			WHEN 2 THEN
				UPDATE crm.deals SET amount = round(random()::numeric * 1e6, 4) WHERE id IN (SELECT t.some(share));
			WHEN 3 THEN
				UPDATE crm.deals SET currency = CASE currency WHEN 'EUR' THEN 'USD' ELSE 'EUR' END,
					value_period = (ARRAY['one_time', 'annual'])[1 + floor(random() * 2)::int]
				WHERE id IN (SELECT t.some(share));
			WHEN 4 THEN
				UPDATE crm.deals SET archived_at = CASE WHEN archived_at IS NULL THEN now() END
				WHERE id IN (SELECT t.some(0.01));
			WHEN 5 THEN
				UPDATE crm.deals SET probability = random() WHERE id IN (SELECT t.some(share)) AND status = 'open';
			WHEN 6 THEN
				INSERT INTO crm.deals (id, title, amount) SELECT t.some(0.01), 'again', 1
				ON CONFLICT (id) DO UPDATE SET amount = coalesce(deals.amount, 0) + 1,
					currency = coalesce(deals.currency, 'EUR'), stage_id = stage;
			WHEN 7 THEN
				UPDATE crm.deals SET title = title || '.' WHERE id IN (SELECT t.some(share));
			ELSE
				UPDATE crm.deals SET stage_id = stage WHERE id IN (SELECT t.some(share));
		END CASE;
	END $$;

	-- Writes, some of which come to nothing.
	CREATE FUNCTION t.write_some() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. 1 + floor(random() * 3)::int LOOP
			BEGIN
				PERFORM t.write();
				IF random() < 0.3 THEN
					RAISE division_by_zero;
				END IF;
			EXCEPTION WHEN division_by_zero THEN
				NULL;
			END;
		END LOOP;
	END $$;

	-- The totals are right in the snapshot of the query at hand: by the function
	-- that is made for it, by plain SQL, and in what pipeline_summary() returns.
	CREATE FUNCTION t.wrong() RETURNS bigint LANGUAGE sql STABLE AS $$
		SELECT (SELECT count(*) FROM extensions.crm_check_totals())
			+ (SELECT count(*)
				FROM (SELECT pipeline_id, stage_id, currency, value_period, count(*) AS n, count(amount) AS amounts,
						coalesce(sum(amount), 0) AS v, coalesce(sum(amount * probability), 0) AS w
					FROM crm.deals WHERE archived_at IS NULL GROUP BY 1, 2, 3, 4) AS d
				FULL JOIN (SELECT pipeline_id, stage_id, coalesce(currency, '?') AS c, value_period, sum(deals) AS n,
						sum(deals - deals_without_amount) AS amounts, sum(value) AS v, sum(weighted_value) AS w
					FROM crm.stage_totals GROUP BY 1, 2, 3, 4) AS t
				ON (d.pipeline_id, d.stage_id, coalesce(d.currency, '?'), d.value_period)
					= (t.pipeline_id, t.stage_id, t.c, t.value_period)
				WHERE (coalesce(d.n, 0), coalesce(d.amounts, 0), coalesce(d.v, 0), coalesce(d.w, 0))
					<> (coalesce(t.n, 0), coalesce(t.amounts, 0), coalesce(t.v, 0), coalesce(t.w, 0)))
			+ (SELECT count(*) FROM crm.pipelines AS p, crm.pipeline_summary(p.id) AS s
				WHERE s ->> 'source' <> 'totals' OR (s ->> 'total_deals')::bigint <>
					(SELECT count(*) FROM crm.deals AS d WHERE d.pipeline_id = p.id AND d.archived_at IS NULL))
	$$;
	CREATE FUNCTION t.check_totals() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
	BEGIN
		IF t.wrong() <> 0 THEN
			RAISE 'the totals are wrong';
		END IF;
	END $$;

	INSERT INTO deals (title, amount, stage_id) SELECT 'first', 100, t.any_stage() FROM generate_series(1, 300);
	SQL

# What a client does: transactions, some of which are rolled back, at any level.
my $dir = PostgreSQL::Test::Utils::tempdir();
my @levels = ('READ COMMITTED') x 4;
push @levels, 'REPEATABLE READ', 'SERIALIZABLE';
my @scripts;

sub script
{
	my ($name, $weight, $text) = @_;

	append_to_file("$dir/$name", $text);
	push @scripts, '-f', "$dir/$name\@$weight";
	return;
}

foreach my $i (0 .. $#levels)
{
	script("write$i", 4, <<~SQL);
		\\set back random(1, 4)
		\\set end random(1, 5)
		BEGIN ISOLATION LEVEL $levels[$i];
		SELECT t.write_some();
		SAVEPOINT a;
		SELECT t.write_some();
		\\if :back = 1
		ROLLBACK TO a;
		\\elif :back = 2
		RELEASE a;
		\\endif
		SELECT t.write_some();
		SELECT t.check_totals();
		\\if :end = 1
		ROLLBACK;
		\\else
		COMMIT;
		\\endif
		SQL
}
script('one', 20, <<~'SQL');
	UPDATE crm.deals SET stage_id = t.any_stage()
	WHERE id = (SELECT id FROM crm.deals ORDER BY random() LIMIT 1);
	SQL
script('compact',  3, "SELECT extensions.crm_compact_totals();\n");
script('check',    3, "SELECT t.check_totals();\n");
script('snapshot', 2, <<~'SQL');
	BEGIN ISOLATION LEVEL REPEATABLE READ;
	SELECT t.check_totals();
	\sleep 200 ms
	SELECT t.check_totals();
	COMMIT;
	SQL
script('rebuild', 1, <<~'SQL');
	\set chance random(1, 5)
	\if :chance = 1
	SELECT extensions.crm_rebuild_totals();
	\endif
	SQL

sub exact
{
	my ($server, $name) = @_;

	is($server->safe_psql('postgres', 'SELECT t.wrong()'), '0', $name);
	return;
}

exact($node, 'totals before');
$node->command_checks_all(
	[
		'pgbench',     '-n', '-c',     $clients,
		'-j',          2,    '-T',     $seconds,
		'--max-tries', 0,    @scripts, 'postgres'
	],
	0,
	[qr/number of failed transactions: 0 /],
	[qr/^(?!.*(aborted|totals are wrong))/s],
	'writers of every kind, while the totals are checked');
exact($node, 'totals after');

# A function that a statement calls sees some rows as they will be, and their
# totals not yet: it is given what the deals say.  Of rows that were there before
# the transaction no other trigger waits to be fired.
$node->safe_psql('postgres', <<~'SQL');
	CREATE FUNCTION t.counted() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
	DECLARE
		counted bigint := (SELECT count(*) FROM crm.deals WHERE archived_at IS NULL);
	BEGIN
		IF counted <> (SELECT sum((crm.pipeline_summary(id) ->> 'total_deals')::bigint) FROM crm.pipelines) THEN
			RAISE 'not what the deals say';
		END IF;
		RETURN counted;
	END $$;
	SQL
is( $node->psql(
		'postgres',
		'UPDATE deals SET archived_at = CASE WHEN archived_at IS NULL AND t.counted() > 0 THEN now() END'
	),
	0,
	'in the middle of a statement');
exact($node, 'and after it');

# A prepared transaction that has summed up keeps nobody from writing.
$node->safe_psql('postgres', <<~'SQL');
	BEGIN;
	UPDATE deals SET amount = 1 WHERE id = (SELECT min(id::text)::uuid FROM deals);
	SELECT crm_compact_totals();
	PREPARE TRANSACTION 'later';
	UPDATE deals SET amount = 2, currency = 'USD' WHERE id = (SELECT max(id::text)::uuid FROM deals);
	SELECT t.check_totals();
	COMMIT PREPARED 'later';
	SQL
exact($node, 'a prepared transaction');

# However many writes there were, few rows are left.
script('alone', 1, <<~'SQL');
	UPDATE crm.deals SET stage_id = t.any_stage()
	WHERE id = (SELECT id FROM crm.deals ORDER BY random() LIMIT 1);
	SQL
$node->safe_psql('postgres', 'TRUNCATE stage_changes');
$node->command_ok(
	[
		'pgbench',     '-n', '-c', $clients,     '-j', 2, '-t', 2000,
		'--max-tries', 100,  '-f', "$dir/alone", 'postgres'
	],
	'many moves');
my ($moves, $rows) = split /\|/,
  $node->safe_psql('postgres',
	'SELECT (SELECT count(*) FROM stage_changes), (SELECT count(*) FROM stage_totals)'
  );
cmp_ok($moves, '>', 1000 * $clients, "$moves moves");
cmp_ok($rows,  '<', 6000,            "leave $rows rows of totals");
exact($node, 'totals after many moves');

# A standby reads them.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->safe_psql('postgres', 'SELECT t.write() FROM generate_series(1, 50)');
$node->wait_for_catchup($standby);
exact($standby, 'totals on a standby');
$standby->stop;

# A subscriber's triggers do not fire: it adds the deals up.
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init(allows_streaming => 'logical');
$subscriber->start;
$subscriber->safe_psql('postgres', <<~'SQL');
	SET client_min_messages = warning;
	CREATE SCHEMA extensions;
	CREATE EXTENSION crm SCHEMA extensions;
	SELECT extensions.crm_install();
	SQL
$node->safe_psql('postgres',
	'CREATE PUBLICATION crm FOR TABLE pipelines, stages, deals');
my $connection = $node->connstr;
$subscriber->safe_psql('postgres',
	"CREATE SUBSCRIPTION crm CONNECTION '$connection dbname=postgres' PUBLICATION crm"
);
$subscriber->wait_for_subscription_sync($node, 'crm');
my $summaries = <<~'SQL';
	SELECT p.name, s - '{as_of,source}'::text[]
	FROM crm.pipelines AS p, crm.pipeline_summary(p.id) AS s ORDER BY 1
	SQL
is( $subscriber->safe_psql('postgres', $summaries),
	$node->safe_psql('postgres', $summaries),
	'a subscriber returns the same');
is( $subscriber->safe_psql(
		'postgres',
		q{SELECT DISTINCT crm.pipeline_summary(id) ->> 'source' FROM crm.pipelines}
	),
	'deals',
	'from its deals');
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION crm');
$subscriber->stop;

# Rows of totals can be published, too: they are deleted, and have no key.
$node->safe_psql('postgres', <<~'SQL');
	CREATE PUBLICATION everything FOR ALL TABLES;
	SELECT t.write() FROM generate_series(1, 5);
	SELECT crm_compact_totals();
	SQL
exact($node, 'totals in a publication');

# After a crash.
$node->safe_psql('postgres', 'SELECT t.write() FROM generate_series(1, 20)');
$node->stop('immediate');
$node->start;
exact($node, 'totals after a crash');

# Summed up, of many pipelines: with progress.
$node->safe_psql('postgres', <<~'SQL');
	SET session_replication_role = replica;
	INSERT INTO stage_totals (tenant_id, pipeline_id, stage_id, currency, value_period, deals,
			deals_without_amount, deals_without_probability, value, weighted_value)
		SELECT md5('t')::uuid, md5(n::text)::uuid, md5('s')::uuid, 'USD', 'one_time', sign, 0, sign, sign, sign
		FROM generate_series(1, 1000) AS n, (VALUES (1), (-1)) AS s (sign);
	SQL
my ($stdout, $stderr);
$node->psql('postgres', 'SELECT crm_compact_totals()', stderr => \$stderr);
like(
	$stderr,
	qr/NOTICE:  1000 of 10\d\d pipelines summed up/,
	'progress is reported');
exact($node, 'totals of many pipelines');

# Computed anew: with progress, and to be cancelled.
$node->safe_psql('postgres', <<~'SQL');
	SET session_replication_role = replica;
	INSERT INTO deals (tenant_id, pipeline_id, stage_id, stage_entered_at, created_at, title, amount, currency, probability, status)
		SELECT s.tenant_id, s.pipeline_id, s.id, now(), now(), 'bulk', n, 'USD', s.probability, s.deal_status
		FROM (SELECT * FROM stages WHERE deal_status = 'open' LIMIT 1) AS s, generate_series(1, 250000) AS n;
	SQL
isnt($node->safe_psql('postgres', 'SELECT t.wrong()'),
	'0', 'totals that are wrong');
is( $node->psql(
		'postgres',
		q{SET statement_timeout = '5ms'; SELECT crm_rebuild_totals()},
		stderr => \$stderr),
	3,
	'a rebuild is cancelled');
like($stderr, qr/canceling statement due to statement timeout/, 'at once');
isnt($node->safe_psql('postgres', 'SELECT t.wrong()'),
	'0', 'and has changed nothing');
$node->psql(
	'postgres', 'SELECT crm_rebuild_totals()',
	stdout => \$stdout,
	stderr => \$stderr);
like(
	$stderr,
	qr/NOTICE:  100000 (of about \d+ )?deals counted\n.*NOTICE:  200000 (of about \d+ )?deals counted/s,
	'a rebuild reports its progress');
cmp_ok($stdout, '>', 250000, 'and what it has counted');
exact($node, 'totals computed anew');

$node->stop;
done_testing();
