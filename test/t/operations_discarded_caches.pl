
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

# In the session that installed a CRM, which knows it from before.
is( $node->safe_psql('discarded',
		<<~'SQL'), "Next|2\n2|t", 'moves and reports');
	SET client_min_messages = warning;
	SET search_path = other, extensions;
	SELECT crm_install('other') \g /dev/null
	SET debug_discard_caches = 1;
	INSERT INTO pipelines (id, name, is_default) VALUES (md5('p')::uuid, 'Sales', true);
	INSERT INTO stages (id, pipeline_id, name) VALUES
		(md5('s1')::uuid, md5('p')::uuid, 'First'), (md5('s2')::uuid, md5('p')::uuid, 'Next');
	INSERT INTO deals (id, title, amount) VALUES (md5('d1')::uuid, 'One', 1), (md5('d2')::uuid, 'Two', 2);
	UPDATE deals SET stage_id = md5('s2')::uuid;
	SELECT s.name, count(*) FROM deals AS d JOIN stages AS s ON s.id = d.stage_id
		JOIN stage_changes AS c ON c.deal_id = d.id GROUP BY 1;
	SELECT pipeline_summary(md5('p')::uuid) ->> 'total_deals',
		NOT EXISTS (SELECT FROM crm_check_totals('other'));
	SQL
unlike(
	slurp_file($node->logfile),
	qr/TRAP:|terminated by signal/,
	'no check has failed');
done_testing();
