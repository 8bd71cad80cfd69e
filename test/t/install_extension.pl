# The extension can be created, installs a CRM, and says its version.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

$node->safe_psql('postgres',
	'CREATE SCHEMA extensions; CREATE EXTENSION crm SCHEMA extensions');
is( $node->safe_psql(
		'postgres',
		q{SELECT extensions.crm_version() = extversion
			FROM pg_extension WHERE extname = 'crm'}),
	't',
	'the library and the script are of one version');

$node->safe_psql('postgres', 'SELECT extensions.crm_install()');
is( $node->safe_psql(
		'postgres',
		q{SELECT count(*) FROM pg_depend
			WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
			AND classid = 'pg_class'::regclass}),
	'0',
	'no table is a member of the extension');

$node->stop;
done_testing();
