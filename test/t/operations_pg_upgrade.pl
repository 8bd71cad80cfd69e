
# pg_upgrade takes a database with all that a CRM can have to another server, with the
# rows and catalogs that it had.
#
# CRM_OLD_INSTALL: the folder of an older PostgreSQL (the one that holds bin), which has
# crm too; the suites versions-17 and versions-18 name it.  Else old and new are the same.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Both with checksums, which are the default from PostgreSQL 18 on.
my @init = (extra => [ '--encoding=UTF8', '--locale=C.UTF-8', '-k' ]);
my $old =
  new_node('old', install_path => $ENV{CRM_OLD_INSTALL} || undef, @init);
my $new = PostgreSQL::Test::Cluster->new('new');

# The catalogs and rows, without the bodies of the extension's functions: PostgreSQL
# shows an upgraded one with other names of columns and parentheses, and each version
# in its own way.  Later ones have the right MAINTAIN, and array types as members.
sub digest_of
{
	my ($node) = @_;
	my $digest = digest($node, 'origin');

	$digest =~ s/^BEGIN ATOMIC\n.*?^END$//gms;
	$digest =~ s/^member \| type .*\[\]\n//gm;
	$digest =~ s{=arwdDxt\Km/}{/}g;
	return $digest;
}

# Since November 2026 columns have options of PostgreSQL's own, which pg_upgrade takes to
# a server of that age only.
sub column_options
{
	my ($node) = @_;

	return $node->safe_psql('postgres',
		'SELECT count(*) > 0 FROM pg_attribute WHERE attoptions IS NOT NULL');
}

make_origin($old, 'origin');
note 'from ' . $old->safe_psql('origin', 'SHOW server_version');

# pg_upgrade keeps no OIDs of functions, types and the like: a CRM stores none.
is($old->safe_psql('origin', <<~'SQL'), '', 'no column holds OIDs');
	SELECT attrelid::regclass, attname, atttypid::regtype
	FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
	WHERE relnamespace::regnamespace::text IN ('crm', 'team') AND attnum > 0
		AND (atttypid::regtype::text LIKE 'reg%' OR atttypid::regtype::text IN ('oid', 'xid', 'cid', 'tid'))
	SQL
is( $old->safe_psql(
		'origin',
		"SELECT extrelocatable, extconfig IS NULL FROM pg_extension WHERE extname = 'crm'"
	),
	'f|t',
	'the extension stays where it is, and has no rows of its own to dump');

$new->init(@init);
$new->append_conf('postgresql.conf', "timezone = 'Europe/Rome'");
$new->start;
if (column_options($old) ne column_options($new))
{
  SKIP:
	{
		skip 'the new PostgreSQL is too old: '
		  . $new->safe_psql('postgres', 'SHOW server_version'), 1;
	}
	done_testing();
	exit;
}

my $digest = digest_of($old);
my $dump = dump_text($old, 'origin');

$old->stop;
$new->stop;
chdir $PostgreSQL::Test::Utils::tmp_check or die;
command_ok(
	[
		'pg_upgrade', '--no-sync',
		'-d',         $old->data_dir,
		'-D',         $new->data_dir,
		'-b',         $old->config_data('--bindir'),
		'-B',         $new->config_data('--bindir'),
		'-s',         $new->host,
		'-p',         $old->port,
		'-P',         $new->port
	],
	'pg_upgrade');
die 'it failed' unless Test::More->builder->is_passing;
$new->start;
note 'to ' . $new->safe_psql('origin', 'SHOW server_version');
same_text(digest_of($new), $digest, 'the same catalogs and rows');

# pg_dump writes for its own version.
same_text(dump_text($new, 'origin'), $dump, 'the same dump')
  unless $ENV{CRM_OLD_INSTALL};
all_work($new, 'origin', 'upgraded');
$new->command_ok(
	[
		'pg_amcheck',       '--install-missing',
		'--heapallindexed', '--parent-check',
		'-d',               'origin'
	],
	'tables and indexes are sound');

done_testing();
