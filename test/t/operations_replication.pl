
# Replicas: a physical standby reads and refuses to write, a logical one gets
# every row once; both take over.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', allows_streaming => 'logical');
make_origin($primary, 'origin');
my @tables = split /\n/, $primary->safe_psql('origin', <<~'SQL');
	SELECT relname FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind = 'r'
	SQL

# A physical standby.
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
still_works($primary, 'origin', 'crm', undef, 'primary');
$primary->wait_for_catchup($standby);

same_text(
	dump_text($standby, 'origin'),
	dump_text($primary, 'origin'),
	'standby: identical');
history_agrees($standby, 'origin', 'crm', 'standby: history and deals agree');
my $tenant = $CrmTest::tenants[1];
is( $standby->safe_psql(
		'origin',
		CrmTest::crm_session('crm_app', 'team', $tenant)
		  . 'SELECT count(*), crm_current_tenant() FROM deals'),
	"50|$tenant",
	'standby: a tenant reads its rows');

foreach my $query (
	'SELECT crm_pipeline_summary(stage_id, amount, currency, probability, value_period) FROM deals',
	q{SELECT pipeline_summary(id) - 'as_of' FROM pipelines ORDER BY id},
	'SELECT * FROM crm_fleet_summary()',
	'SELECT count(*), sum(value) FROM pipeline_stage_summary')
{
	my $sql = CrmTest::crm_session('crm_owner', 'crm') . $query;

	is( $standby->safe_psql('origin', $sql),
		$primary->safe_psql('origin', $sql),
		"standby: $query");
}

my %writes = (
	'a move' =>
	  q{UPDATE deals SET status = 'won' WHERE external_id = 'plain 1'},
	'an undo' =>
	  q{SELECT crm_undo_move('crm', id) FROM deals WHERE external_id = 'won'},
	'a deal' => q{INSERT INTO deals (title) VALUES ('x')},
	'a CRM' => q{SELECT crm_install('another')},
	'a link' =>
	  q{SELECT crm_link('Büro "Nord" 1', 'deal_contacts.contact_id', 'app.people')}
);
foreach my $what (sort keys %writes)
{
	my $stderr;

	isnt(
		$standby->psql(
			'origin',
			CrmTest::crm_session('crm_owner', 'crm') . $writes{$what},
			stderr => \$stderr),
		0,
		"standby: $what is refused");
	like(
		$stderr,
		qr/ERROR:  cannot execute \S.* (?:in a read-only transaction|during recovery)/,
		"standby: $what is refused for the reason");
}

# A logical replica of everything, one of deals and their history alone.
my $replica = new_node('replica', allows_streaming => 'logical');
my $connection = $primary->connstr . ' dbname=origin';
my %published = (
	everything => \@tables,
	history => [qw(deals stage_changes deal_changes)]);

foreach my $name (sort keys %published)
{
	my $list = join ', ', map { "crm.$_" } @{ $published{$name} };

	create_database($replica, $name);
	install($replica, $name, 'crm', 'single');
	$replica->safe_psql($name, <<~'SQL');
		ALTER TABLE crm.deals ADD region text, ADD yearly numeric GENERATED ALWAYS AS (amount * 12) STORED,
			ADD "Ümlaut" text[];
		ALTER TABLE crm.stage_changes ADD note text;
		SQL
	$primary->safe_psql('origin', "CREATE PUBLICATION $name FOR TABLE $list");
	$replica->safe_psql($name,
		"CREATE SUBSCRIPTION $name CONNECTION '$connection' PUBLICATION $name"
	);
	$replica->wait_for_subscription_sync($primary, $name, $name);
}

sub same_rows
{
	my ($name, $when) = @_;

	$primary->wait_for_catchup($name);
	foreach my $table (@{ $published{$name} })
	{
		# The row that says that totals are complete came with the installation.
		my $where =
		  $table eq 'stage_totals' ? "WHERE value_period <> 'complete'" : '';
		my $query =
		  "SELECT to_jsonb(t)::text FROM crm.$table t $where ORDER BY 1";

		is( $replica->safe_psql($name,    $query),
			$primary->safe_psql('origin', $query),
			"replica of $name: $table, $when");
	}
	history_agrees($replica, $name, 'crm',
		"replica of $name: history and deals agree, $when");
	return;
}

same_rows($_, 'copied') foreach sort keys %published;

# Every kind of change, by the primary's triggers alone.
still_works($primary, 'origin', 'crm', undef, 'primary');
$primary->safe_psql('origin',
	CrmTest::crm_session('crm_app', 'crm') . <<~'SQL');
	UPDATE deals SET stage_id = s.id FROM stages s
	WHERE s.pipeline_id = deals.pipeline_id AND s.name = 'Won' AND deals.external_id LIKE 'plain %';
	UPDATE deals SET amount = 1, description = 'changed' WHERE external_id = 'max';
	UPDATE stages SET name = 'Renamed', deal_status = 'open' WHERE deal_status = 'lost' AND name = 'Trial';
	DELETE FROM deals WHERE external_id = 'min';
	INSERT INTO deals (title, external_id) VALUES ('new', 'new');
	UPDATE deals SET status = 'lost', lost_reason = 'r' WHERE external_id = 'new';
	SQL
same_rows($_, 'changed') foreach sort keys %published;

# They take over.
foreach my $name (sort keys %published)
{
	$replica->safe_psql($name, "DROP SUBSCRIPTION $name");
}
still_works($replica, 'everything', 'crm', undef, 'replica that took over');

# Deals that came without their totals: no trigger has added them up.
if ($replica->safe_psql('history',
		q{SELECT to_regclass('crm.stage_totals') IS NOT NULL}) eq 't')
{
	$replica->safe_psql('history',
		q{SET client_min_messages = warning; SELECT extensions.crm_rebuild_totals('crm')}
	);
	CrmTest::totals_are_right($replica, 'history', 'crm',
		'replica of history: totals rebuilt');
}
$primary->wait_for_catchup($standby);
$primary->stop;
$standby->promote;
all_work($standby, 'origin', 'promoted standby');

done_testing();
