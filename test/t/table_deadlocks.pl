
# Each pair of writes, by four sessions over and over, at isolation levels taken by
# chance: no deadlock.
#
# CRM_PAIR_TRANSACTIONS: how often each session of a pair writes.

use strict;
use warnings;

use CrmTest;
use CrmWrites;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $transactions = $ENV{CRM_PAIR_TRANSACTIONS} // 8;
my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = new_node('deadlocks');

# A wait that is a deadlock is found at once.
$node->append_conf('postgresql.conf', 'deadlock_timeout = 10ms');
$node->restart;
make_pairs_crm(
	$node, 'pairs',
	q{md5('d' || 1 + floor(random() * 4)::int)::uuid},
	q{md5('s' || 1 + floor(random() * 4)::int)::uuid});
$node->safe_psql('pairs', <<~'SQL');
	-- What two who run at once are told, and may try again.
	CREATE FUNCTION public.try(statement text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		EXECUTE statement;
	EXCEPTION WHEN SQLSTATE '40001' OR SQLSTATE 'PT404' OR SQLSTATE 'PT409' OR invalid_parameter_value OR unique_violation
		OR foreign_key_violation OR check_violation OR duplicate_object THEN NULL;
	END $$;
	SQL

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
is($node->safe_psql('pairs', <<~'SQL'), '', 'and no move is lost');
	SELECT d.id FROM crm.deals AS d
	WHERE d.move_no <> (SELECT count(*) FROM crm.stage_changes AS c WHERE c.deal_id = d.id)
	SQL
done_testing();
