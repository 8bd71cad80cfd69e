
# What the library keeps of the catalogs is right however often PostgreSQL discards
# its own: with each of its caches thrown away at each chance, moves are recorded and
# reports answer.  Only a server that was built with assertions can do that.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('discarded');

if ($node->psql('postgres', 'SET debug_discard_caches = 1') != 0)
{
	$node->stop;
	plan skip_all =>
	  'this server cannot discard its caches: it was not built with --enable-cassert';
}
create_database($node, 'discarded');
install($node, 'discarded', 'crm', 'single');
fill($node, 'discarded', 'crm');
$node->safe_psql('postgres',
	'ALTER DATABASE discarded SET debug_discard_caches = 1');
still_works($node, 'discarded', 'crm', undef, 'caches discarded');
is( $node->safe_psql('discarded',
		CrmTest::crm_session('crm_app', 'crm')
		  . 'SELECT count(*) FROM pipelines AS p, funnel(p.id), time_in_stage(p.id)'
	) > 0,
	1,
	'caches discarded: reports answer');
unlike(
	slurp_file($node->logfile),
	qr/TRAP:|terminated by signal/,
	'no check has failed');
done_testing();
