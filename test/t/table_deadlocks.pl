
# Each pair of writes, by four sessions over and over, at isolation levels taken by
# chance: no deadlock.
#
# CRM_PAIR_TRANSACTIONS: how often each session of a pair writes.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $transactions = $ENV{CRM_PAIR_TRANSACTIONS} // 8;
my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = new_node('deadlocks');

# A wait that is a deadlock is found at once.
$node->append_conf('postgresql.conf', 'deadlock_timeout = 10ms');
$node->restart;
create_database($node, 'pairs');
install($node, 'pairs', 'crm', 'single');
$node->safe_psql('pairs', <<~'SQL');
	ALTER DATABASE pairs SET search_path = crm, extensions, public;
	CREATE TABLE public.people (id uuid PRIMARY KEY);
	INSERT INTO public.people SELECT md5('c' || i)::uuid FROM generate_series(1, 3) AS i;
	SET search_path = crm, extensions;
	INSERT INTO pipelines (id, name, is_default) VALUES (md5('p')::uuid, 'Sales', true), (md5('q')::uuid, 'Other', false);
	INSERT INTO stages (id, pipeline_id, name, probability) SELECT md5('s' || i)::uuid, md5('p')::uuid, 'Stage ' || i, i / 10.0
		FROM generate_series(1, 5) AS i;
	INSERT INTO deals (id, title, amount, external_id, stage_id)
		SELECT md5('d' || i)::uuid, 'Deal', i, i, md5('s' || 1 + i % 4)::uuid FROM generate_series(1, 40) AS i;
	INSERT INTO deal_contacts (deal_id, contact_id, is_primary)
		SELECT md5('d' || d)::uuid, md5('c' || c)::uuid, c = 1 FROM generate_series(1, 3) AS d, generate_series(1, 3) AS c;

	-- What two who run at once are told, and may try again.
	CREATE FUNCTION public.try(statement text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		EXECUTE statement;
	EXCEPTION WHEN SQLSTATE '40001' OR SQLSTATE 'PT404' OR SQLSTATE 'PT409' OR invalid_parameter_value OR unique_violation
		OR foreign_key_violation OR check_violation THEN NULL;
	END $$;
	CREATE FUNCTION public.any_deal() RETURNS uuid LANGUAGE sql VOLATILE
		AS $$ SELECT md5('d' || 1 + floor(random() * 4)::int)::uuid $$;
	CREATE FUNCTION public.any_stage() RETURNS uuid LANGUAGE sql VOLATILE
		AS $$ SELECT md5('s' || 1 + floor(random() * 4)::int)::uuid $$;
	SQL

# Two rows that a transaction writes, one after the other, are written in one order;
# that is the client's to see to.
my %writes = (
	'move' =>
	  'UPDATE deals SET stage_id = (SELECT any_stage()) WHERE id = (SELECT any_deal())',
	'moves' =>
	  q{UPDATE deals SET stage_id = (SELECT any_stage()) WHERE id = md5('d1')::uuid; UPDATE deals SET stage_id = (SELECT any_stage()) WHERE id = md5('d2')::uuid},
	'move_deal' => 'SELECT move_deal(any_deal(), any_stage())',
	'all' =>
	  'UPDATE deals SET stage_id = (SELECT any_stage()) WHERE id IN (SELECT id FROM deals ORDER BY id FOR NO KEY UPDATE)',
	'undo' => 'SELECT undo_move(any_deal())',
	'insert' =>
	  q{INSERT INTO deals (title, stage_id) VALUES ('New', any_stage())},
	'upsert' =>
	  q{INSERT INTO deals (title, external_id, stage_id) VALUES ('Deal', '1', any_stage()) ON CONFLICT (tenant_id, external_id) DO UPDATE SET stage_id = excluded.stage_id},
	'edit' =>
	  'UPDATE deals SET amount = random() * 100 WHERE id = (SELECT any_deal())',
	'archive' =>
	  'UPDATE deals SET archived_at = CASE WHEN archived_at IS NULL THEN now() END WHERE id = (SELECT any_deal())',
	'delete' =>
	  q{DELETE FROM deals WHERE id IN (SELECT id FROM deals WHERE title = 'New' ORDER BY id FOR UPDATE)},
	'reorder' =>
	  q{SELECT reorder_stages(md5('p')::uuid, ARRAY(SELECT id FROM stages WHERE pipeline_id = md5('p')::uuid ORDER BY random()))},
	'rename' =>
	  q{UPDATE stages SET name = 'Stage ' || random() WHERE id = (SELECT any_stage())},
	'add' =>
	  q{INSERT INTO stages (pipeline_id, name) VALUES (md5('p')::uuid, 'New ' || random())},
	'remove' =>
	  q{SELECT delete_stage(id, any_stage()) FROM stages WHERE name LIKE 'New%' LIMIT 1},
	'empty' =>
	  q{INSERT INTO stages (id, pipeline_id, name) VALUES (md5('s4')::uuid, md5('p')::uuid, 'Back') ON CONFLICT DO NOTHING; SELECT delete_stage(md5('s4')::uuid, md5('s1')::uuid)},
	'status' =>
	  q{UPDATE stages SET deal_status = CASE deal_status WHEN 'open' THEN 'won' ELSE 'open' END WHERE id = md5('s5')::uuid},
	'probability' => 'SELECT apply_stage_probability(any_stage())',
	'primary' =>
	  q{SELECT set_primary_contact(any_deal(), md5('c' || 1 + floor(random() * 3)::int)::uuid)},
	'merge' => 'SELECT merge_deals(any_deal(), any_deal())',
	'unmerge' => 'SELECT unmerge_deals(any_deal())',
	'contact' =>
	  q{INSERT INTO deal_contacts (deal_id, contact_id, is_primary) VALUES (any_deal(), md5('c' || 1 + floor(random() * 3)::int)::uuid, random() < 0.5)},
	'default' =>
	  q{SELECT set_default_pipeline(CASE WHEN random() < 0.5 THEN md5('p')::uuid ELSE md5('q')::uuid END)},
	'pipeline' =>
	  q{SELECT create_pipeline('Pipeline ' || random(), stages => '[{"name": "One"}]')},
	'compact' => q{SELECT crm_compact_totals('crm')},
	'link' =>
	  q{SELECT crm_link('crm', 'deal_contacts.contact_id', 'public.people'); SELECT crm_unlink('crm', 'deal_contacts.contact_id')},
);

foreach my $name (keys %writes)
{
	my $statements = join "\n",
	  map { 'SELECT public.try($try$' . $_ . '$try$);' } split /; /,
	  $writes{$name};

	# Writes of several statements are one transaction, as others are.
	append_to_file("$dir/$name.sql", <<~SQL);
		\\set level random(1, 3)
		\\if :level = 1
		BEGIN;
		\\elif :level = 2
		BEGIN ISOLATION LEVEL REPEATABLE READ;
		\\else
		BEGIN ISOLATION LEVEL SERIALIZABLE;
		\\endif
		$statements
		COMMIT;
		SQL
}

my @names = sort keys %writes;

foreach my $i (0 .. $#names)
{
	my @met;

	foreach my $j ($i .. $#names)
	{
		my ($out, $err) = run_command(
			[
				'pgbench',     '-n',
				'-c',          '4',
				'-j',          '2',
				'-t',          $transactions,
				'--max-tries', '100',
				'-f',          "$dir/$names[$i].sql",
				'-f',          "$dir/$names[$j].sql",
				$node->connstr('pairs')
			]);

		push @met, "$names[$j]: $err" if $err =~ /ERROR|abort/;
	}
	is(join("\n", @met), '', "$names[$i] with each other write");
}
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'no deadlock');
done_testing();
