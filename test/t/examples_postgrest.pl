
# examples/postgrest: the roles that setup.sql makes are what PostgREST needs.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('postgrest');
$node->safe_psql('postgres', 'CREATE DATABASE api');

$node->command_fails_like(
	[
		'psql', '-X',
		'-d',   $node->connstr('api'),
		'-f',   'examples/postgrest/setup.sql'
	],
	qr/no password for the role crm_authenticator/,
	'it asks for a password');
$node->command_ok(
	[
		'psql',                '-X',
		'-q',                  '-d',
		$node->connstr('api'), '-v',
		'password=secret',     '-f',
		'examples/postgrest/setup.sql'
	],
	'it makes a CRM and roles');

# docs/postgrest.md to the letter, but for the last line, which starts PostgREST.
my $home = PostgreSQL::Test::Utils::tempdir();
my ($commands) =
  slurp_file('docs/postgrest.md') =~ /^```sh\n(.*?)^postgrest /ms;
$node->safe_psql('postgres',
	'CREATE DATABASE second; CREATE DATABASE third;');
{
	local %ENV = (
		%ENV,
		HOME => $home,
		PGHOST => $node->host,
		PGPORT => $node->port,
		PGOPTIONS => '');
	my $documented =
	  $commands =~ s/createdb crm/createdb docs/r =~ s/-d crm /-d docs /r;

	command_ok([ 'sh', '-eu', '-c', $documented ],
		'the commands of the page run');
}
is( join(' ',
		map { sprintf '%o', (stat "$home/crm-api$_")[2] & 0777 } '',
		'/crm.conf', '/crm.jwt'),
	'700 600 600',
	'and others can read neither the password nor the key');
unlike(slurp_file("$home/crm-api/crm.conf"),
	qr/change-me|\/etc/, 'its configuration is filled in');

# In another database of the server, whose roles are there.
$node->command_ok(
	[
		'psql',                   '-X',
		'-q',                     '-d',
		$node->connstr('second'), '-f',
		'examples/postgrest/setup.sql'
	],
	'in a second database it needs no password');
is( $node->safe_psql(
		'second',
		q{SELECT has_table_privilege('crm_user', 'crm.deals', 'INSERT')}),
	't',
	'and gives the roles their rights');

# What examples/nginx serves for reading only.
my ($read_only) =
  slurp_file('examples/nginx/crm_errors.js') =~ /readOnly = \[(.*?)\]/s;
is( join(' ', $read_only =~ /\w+/g),
	$node->safe_psql(
		'api', q{
			SELECT string_agg(relname, ' ' ORDER BY relname)
			FROM pg_class AS c
			WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'v')
				AND has_table_privilege('crm_admin', oid, 'SELECT')
				AND (relkind = 'v' OR NOT has_table_privilege('crm_admin', oid, 'INSERT'))}
	),
	'nginx refuses writes to what an admin may not write to');

# A request of a role, as PostgREST's user; what it says.
sub request
{
	my ($role,   $claims, $query) = @_;
	my ($result, $out,    $err) = $node->psql('api', <<~SQL);
		SET SESSION AUTHORIZATION crm_authenticator;
		BEGIN;
		SET LOCAL search_path = crm;
		SET LOCAL ROLE $role;
		SET LOCAL "request.jwt.claims" = '$claims';
		$query;
		COMMIT;
		SQL

	return $err =~ /ERROR:  ([^\n]*)/ ? $1 : $out;
}

my $acme = '{"sub": "ada", "tenant_id": "acme"}';
is( request(
		'crm_admin',
		$acme,
		q{SELECT name FROM crm.create_pipeline('Sales', '["Lead", {"name": "Won", "deal_status": "won"}]', true)}
	),
	'Sales',
	'an admin makes a pipeline');
is( request(
		'crm_agent', $acme,
		q{INSERT INTO crm.deals (title) VALUES ('a') RETURNING title}),
	'a',
	'an agent makes a deal');
is( request(
		'crm_user', $acme,
		q{UPDATE crm.deals SET status = 'won' RETURNING status}),
	'won',
	'a user wins it');
is( request(
		'crm_reader', $acme,
		'SELECT changed_by, recorded_by FROM crm.stage_changes'),
	'ada|crm_authenticator',
	'a reader sees who did');
is( request(
		'crm_reader',
		'{"tenant_id": "globex"}',
		'SELECT count(*) FROM crm.deals'),
	'0',
	'another tenant sees nothing');
like(
	request('crm_agent', $acme, 'DELETE FROM crm.deals'),
	qr/permission denied/,
	'an agent deletes nothing');
like(
	request('crm_authenticator', $acme, 'SELECT FROM crm.deals'),
	qr/permission denied/,
	'PostgREST itself may do nothing');
like(
	request('postgres', $acme, 'SELECT 1'),
	qr/permission denied to set role/,
	'and becomes nobody else');

$node->stop;
done_testing();
