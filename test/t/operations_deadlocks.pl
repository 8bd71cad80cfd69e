
# What the CRM's functions and triggers lock, each beside each other one: every
# pair of writes runs in several sessions at once, and none is chosen as the
# victim of a deadlock.
#
# A transaction of several writes may still deadlock with another one that
# writes the same deals in another order, as anywhere: here each session has its
# own deals to write one after the other, and shares the rest.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);

# A deadlock is looked for at once.
$node->append_conf('postgresql.conf',
	"deadlock_timeout = 10ms\nmax_locks_per_transaction = 256");
$node->start;
$node->safe_psql(
	'postgres', q{
	CREATE SCHEMA extensions;
	CREATE EXTENSION crm SCHEMA extensions;
	SELECT extensions.crm_install();
	SELECT crm.create_pipeline('P1', '["A", "B", "C", {"name": "Won", "deal_status": "won"}, {"name": "Lost", "deal_status": "lost"}]', true);
	SELECT crm.create_pipeline('P2', '[{"name": "A", "probability": 0.5}, "B", {"name": "Won", "deal_status": "won"}]');
	-- Deals of the sessions 0 to 3, and shared ones.
	INSERT INTO crm.deals (title, external_id, amount)
		SELECT 'own', format('%s %s', s, n), 1 FROM generate_series(0, 3) AS s, generate_series(1, 4) AS n;
	INSERT INTO crm.deals (title, external_id, amount) SELECT 'shared', 'shared ' || n, 1 FROM generate_series(1, 4) AS n;
	INSERT INTO crm.deal_contacts (deal_id, contact_id)
		SELECT d.id, md5(n::text)::uuid FROM crm.deals AS d, generate_series(1, 3) AS n WHERE d.title = 'shared';
	INSERT INTO crm.tags (name) VALUES ('hot'), ('cold');
	CREATE FUNCTION public.stage() RETURNS uuid LANGUAGE sql VOLATILE AS 'SELECT id FROM crm.stages ORDER BY random() LIMIT 1';
	CREATE FUNCTION public.pipeline() RETURNS uuid LANGUAGE sql VOLATILE AS $$ SELECT id FROM crm.pipelines WHERE name IN ('P1', 'P2') ORDER BY random() LIMIT 1 $$;
	CREATE FUNCTION public.deal(prefix text) RETURNS uuid LANGUAGE sql VOLATILE AS 'SELECT id FROM crm.deals WHERE starts_with(external_id, prefix) ORDER BY random() LIMIT 1';
});

# Statements in a transaction; :c is the number of the session.
my %writes = (
	insert => [
		'INSERT INTO crm.deals (title, stage_id) VALUES (\'new\', public.stage())',
		'INSERT INTO crm.deals (title, stage_id) VALUES (\'new\', public.stage())'
	],
	move => [
		'UPDATE crm.deals SET stage_id = public.stage() WHERE external_id = \':c 1\'',
		'UPDATE crm.deals SET stage_id = public.stage() WHERE external_id = \':c 2\''
	],
	move_deal =>
	  ['PERFORM crm.move_deal(public.deal(\'shared\'), public.stage())'],
	undo_move => ['PERFORM crm.undo_move(public.deal(\':c\'))'],
	reorder_stages => [
		'PERFORM crm.reorder_stages(p.id, ARRAY(SELECT s.id FROM crm.stages AS s WHERE s.pipeline_id = p.id ORDER BY random())) FROM (SELECT public.pipeline() AS id) AS p'
	],
	rename_stage => [
		'UPDATE crm.stages SET rotting_days = 1 + (random() * 100)::integer WHERE id = public.stage()'
	],
	add_stage => [
		'INSERT INTO crm.stages (pipeline_id, name) VALUES (public.pipeline(), \'new \' || random())'
	],
	delete_stage => [
		'PERFORM crm.delete_stage(s.id, (SELECT t.id FROM crm.stages AS t WHERE t.name = \'A\' ORDER BY random() LIMIT 1)) FROM (SELECT id FROM crm.stages WHERE name LIKE \'new%\' ORDER BY random() LIMIT 1) AS s'
	],
	apply_stage_probability =>
	  ['PERFORM crm.apply_stage_probability(public.stage())'],
	set_default_pipeline =>
	  ['PERFORM crm.set_default_pipeline(public.pipeline())'],
	create_pipeline => [
		'PERFORM crm.create_pipeline(\'new \' || random(), \'["A", "B"]\', true)'
	],
	set_primary_contact => [
		'PERFORM crm.set_primary_contact(public.deal(\'shared\'), md5((1 + (random() * 2)::integer)::text)::uuid)'
	],
	link_contact => [
		'INSERT INTO crm.deal_contacts (deal_id, contact_id, is_primary) VALUES (public.deal(\'shared\'), md5(random()::text)::uuid, random() < 0.5)'
	],
	tag => [
		'INSERT INTO crm.deal_tags (deal_id, tag_id) SELECT public.deal(\'shared\'), id FROM crm.tags ORDER BY random() LIMIT 1 ON CONFLICT DO NOTHING'
	]);

# Each write as a script of pgbench.  Its refusals do not matter here.
my $folder = PostgreSQL::Test::Utils::tempdir();
foreach my $name (keys %writes)
{
	open my $file, '>', "$folder/$name.sql" or die $!;
	print $file
	  "SELECT set_config('test.session', :client_id::text, false);\n";
	my $statements = join ";\n\t", @{ $writes{$name} };

	$statements =~ s/':c/current_setting('test.session') || '/g;
	print $file "DO \$\$\nBEGIN\n\t$statements;\nEXCEPTION\n"
	  . "\tWHEN deadlock_detected OR internal_error OR lock_not_available THEN RAISE;\n\tWHEN OTHERS THEN NULL;\nEND \$\$;\n";
	close $file;
}

my $transactions = $ENV{CRM_DEADLOCK_TRANSACTIONS} // 10;
my @names = sort keys %writes;
foreach my $i (0 .. $#names)
{
	foreach my $j ($i .. $#names)
	{
		my ($out, $err) = ('', '');

		IPC::Run::run(
			[
				'pgbench', '-n',
				'-c',      4,
				'-t',      $transactions,
				'-f',      "$folder/$names[$i].sql",
				'-f',      "$folder/$names[$j].sql",
				'-h',      $node->host,
				'-p',      $node->port,
				'postgres'
			],
			'>',
			\$out,
			'2>',
			\$err);
		like(
			$out,
			qr/^number of failed transactions: 0 /m,
			"$names[$i] beside $names[$j]") or diag $err;
	}
}
is( $node->safe_psql(
		'postgres',
		q{SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'}),
	0,
	'no deadlock at all');
is( $node->safe_psql(
		'postgres', q{SELECT count(*) FROM crm.deals AS d
			WHERE d.move_no <> (SELECT count(*) FROM crm.stage_changes AS c WHERE c.deal_id = d.id)}
	),
	0,
	'and no move is lost');

$node->stop;
done_testing();
