
# Notifications: off unless enabled, one a deal and kind, at commit only.

use strict;
use warnings;

use CrmTest;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('events');
create_database($node, 'events');
install($node, 'events', 'crm',           'single');
install($node, 'events', 'Büro "Nord" 1', 'shared');

my $tenant = $CrmTest::tenants[0];
my $id = '00000000-0000-4000-8000-00000000000';

# Runs statements in a session that listens; the events it got, each as
# "schema id kind tenant", ids by their last digit.
sub events
{
	my ($schema, $sql, $tenant) = @_;
	my ($out, $err) = ('', '');

	# psql prints what has arrived when a statement is done.
	my $result = $node->psql(
		'events',
		"LISTEN crm_events;\n"
		  . CrmTest::crm_session('crm_app', $schema, $tenant)
		  . $sql
		  . ";\nSELECT pg_sleep(0.2);\nSELECT;\n",
		stdout => \$out,
		stderr => \$err);
	is($err, '', "no error: $sql");
	my @events;
	while ($out =~ /notification "crm_events" with payload "(.*)" received/g)
	{
		my $payload = $1;
		my $event = JSON::PP->new->utf8->decode($payload);
		is_deeply(
			[ sort keys %$event ],
			[qw(id kind schema table tenant)],
			'the payload has these keys');
		is($event->{table}, 'deals', 'the table is deals');
		cmp_ok(length $payload, '<', 300, 'it is small');
		push @events, join ' ', $event->{schema}, substr($event->{id}, -1),
		  $event->{kind}, $event->{tenant} // 'null';
	}
	return join "\n", @events;
}

my $make =
  q{SELECT FROM create_pipeline('Sales', is_default => true, stages => '["Lead", "Offer",
	{"name": "Won", "deal_status": "won"}, {"name": "Lost", "deal_status": "lost"}]')};

is( events(
		'crm', "$make; INSERT INTO deals (id, title) VALUES ('${id}1', 'a')"),
	'',
	'nobody is notified by default');
is($node->safe_psql('events', 'SELECT extensions.crm_enable_events()'),
	't', 'events can be enabled');
is($node->safe_psql('events', 'SELECT extensions.crm_enable_events()'),
	'f', 'enabling them again changes nothing');

is( events(
		'crm',
		"INSERT INTO deals (id, title) VALUES ('${id}2', 'b'), ('${id}3', 'c')"
	),
	"crm 2 created null\ncrm 3 created null",
	'created, each deal');
is(events('crm', "UPDATE deals SET title = title || 'x', amount = 5"),
	'', 'an edit is no event');
is( events(
		'crm',
		"UPDATE deals SET stage_id = (SELECT id FROM stages WHERE name = 'Offer')"
	),
	"crm 1 moved null\ncrm 2 moved null\ncrm 3 moved null",
	'moved, in bulk');
is(events('crm', "UPDATE deals SET status = 'won' WHERE id = '${id}2'"),
	'crm 2 won null', 'won');
is(events('crm', "UPDATE deals SET status = 'lost' WHERE id = '${id}2'"),
	'crm 2 lost null', 'lost');
is( events('crm', "SELECT FROM undo_move('${id}2')"),
	'crm 2 won null',
	'undone: won again');
is(events('crm', "UPDATE deals SET status = 'open' WHERE id = '${id}2'"),
	'crm 2 moved null', 'reopened');
is( events(
		'crm',
		"BEGIN; UPDATE deals SET status = 'lost' WHERE id = '${id}1'; ROLLBACK"
	),
	'',
	'nothing of what was rolled back');
is( events(
		'crm',
		"BEGIN; SELECT FROM stages, move_deal('${id}3', id) WHERE name = 'Lead'; "
		  . "SELECT FROM stages, move_deal('${id}3', id) WHERE name = 'Offer'; COMMIT"
	),
	'crm 3 moved null',
	'equal events of a transaction are sent once');
is( events(
		'crm',
		"INSERT INTO deals (id, title, external_id) VALUES ('${id}4', 'd', 'x') "
		  . 'ON CONFLICT (tenant_id, external_id) DO UPDATE SET title = excluded.title; '
		  . "INSERT INTO deals (id, title, external_id) VALUES ('${id}5', 'd', 'x') "
		  . 'ON CONFLICT (tenant_id, external_id) DO UPDATE SET title = excluded.title'
	),
	'crm 4 created null',
	'an upsert creates once');
is(events('crm', "DELETE FROM deals WHERE id = '${id}4'"),
	'', 'a deletion is no event');

# Another CRM, of several tenants: it has a switch of its own.
my $other = 'Büro "Nord" 1';
is( events(
		$other, "$make; INSERT INTO deals (id, title) VALUES ('${id}6', 'e')",
		$tenant),
	'',
	'another CRM is silent');
$node->safe_psql('events',
	CrmTest::crm_session('crm_owner', $other)
	  . "SELECT extensions.crm_enable_events('$other')");
my $event = events($other, "UPDATE deals SET status = 'won'", $tenant);
utf8::encode($event) if utf8::is_utf8($event);
is($event, "$other 6 won $tenant", 'the tenant, and the schema, are named');

# For owners.
my ($result, $out, $err) = $node->psql('events',
	'SET ROLE crm_app; SELECT extensions.crm_disable_events()');
like(
	$err,
	qr/must be owner of the CRM in schema "crm"/,
	'others switch nothing');
is($node->safe_psql('events', 'SELECT extensions.crm_disable_events()'),
	't', 'disabled');
is($node->safe_psql('events', 'SELECT extensions.crm_disable_events()'),
	'f', 'disabling them again changes nothing');
is(events('crm', "UPDATE deals SET status = 'lost'"), '', 'silence');

# Dump and restore keep the switch.
$node->command_ok(
	[
		'pg_dump', '-Fc',
		'-f',      $node->basedir . '/events.dump',
		'-d',      $node->connstr('events')
	],
	'dump');
create_database($node, 'restored');
$node->command_ok(
	[
		'pg_restore',               '-d',
		$node->connstr('restored'), $node->basedir . '/events.dump'
	],
	'restore');
is( $node->safe_psql(
		'restored',
		q{SELECT count(*) FROM pg_trigger WHERE tgname = 'zz_crm_events'}),
	2,
	'a dump keeps the switch');

$node->stop;
done_testing();
