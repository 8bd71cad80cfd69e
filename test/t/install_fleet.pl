# All CRMs of a database: crm_upgrade_all(), with a made-up step from an older version, and what
# locks it and crm_fleet_summary() take.

use strict;
use warnings;

use lib 'test/perl';
use CrmTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $number = 12;
my $node = new_node('fleet');

create_database($node, 'fleet');
install($node, 'fleet', 'crm_1', 'single');
foreach my $n (2 .. $number)
{
	psql("SET ROLE crm_owner; SELECT extensions.crm_install('crm_$n')");
}
psql(
	"CREATE SCHEMA other AUTHORIZATION crm_app;
	SET ROLE crm_app; SELECT extensions.crm_install('other')");

summary_gives_locks_up();
make_older();
others_are_left_alone();
some_that_fail();
interrupted();
two_at_once();
done_by_superuser();

$node->stop;
done_testing();

sub psql
{
	my ($sql, %options) = @_;
	my ($status, $out, $said) =
	  $node->psql('fleet', $sql, on_error_stop => 1, %options);

	return ($status, $out, $said);
}

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('fleet', $sql);
}

# How many CRMs are not of the extension's version.
sub older
{
	return value(
		'SELECT count(*) FROM extensions.crm_installations() WHERE version <> extensions.crm_version()'
	);
}

sub summary_gives_locks_up
{
	value(
		"DO \$\$ BEGIN FOR i IN 1..$number LOOP
			EXECUTE format('SELECT %I.create_pipeline(''Sales'', ''[\"Lead\"]'', is_default => true)', 'crm_' || i);
			EXECUTE format('INSERT INTO %I.deals (title) VALUES (1)', 'crm_' || i);
		END LOOP; END \$\$");
	is( value(
			q{BEGIN;
			SELECT count(DISTINCT schema_name) || ' of them, locks: ' FROM extensions.crm_fleet_summary();
			SELECT count(*) FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
			WHERE l.pid = pg_backend_pid() AND (n.nspname LIKE 'crm\_%' AND n.nspname <> 'crm_defaults');
			SELECT count(*) FROM extensions.crm_fleet_check() WHERE schema_name LIKE 'crm%';
			SELECT count(*) FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
			WHERE l.pid = pg_backend_pid() AND (n.nspname LIKE 'crm\_%' AND n.nspname <> 'crm_defaults')}
		),
		"$number of them, locks: \n0\n0\n0",
		'reading all of them keeps no lock on their tables');
	return;
}

# Makes all CRMs of version 0.0.1, from which a step leads to the present one.
sub make_older
{
	value(
		q{UPDATE pg_trigger SET tgargs = '0.0.1'::bytea || substring(tgargs FROM position('\x00'::bytea IN tgargs))
		WHERE tgnargs > 0 AND tgfoid IN (SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'extensions'::regnamespace);
		CREATE TABLE public.locks (at serial, crm text, held bigint);
		GRANT INSERT ON public.locks TO PUBLIC;
		GRANT USAGE ON SEQUENCE public.locks_at_seq TO PUBLIC;
		CREATE OR REPLACE FUNCTION extensions.crm_migrations() RETURNS TABLE (from_version text, to_version text, script text)
		LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $body$
			SELECT '0.0.1', extensions.crm_version(), $step$
				ALTER TABLE deals ADD COLUMN next_step text;
				CREATE TABLE extra (id integer);
				UPDATE pipelines SET description = NULL WHERE false;
				INSERT INTO public.locks (crm, held) SELECT current_schema(), count(*) FROM pg_locks WHERE pid = pg_backend_pid();
				SELECT pg_sleep(CASE current_schema() WHEN 'crm_5' THEN 1000 ELSE 0 END) WHERE EXISTS (SELECT FROM public.slow);
			$step$
		$body$;
		CREATE TABLE public.slow ();
		GRANT SELECT ON public.slow TO PUBLIC});
	is(older(), $number + 1, 'all are older');
	return;
}

sub others_are_left_alone
{
	my ($status, $out, $said);

	value(
		'CREATE ROLE crm_reader; GRANT USAGE ON SCHEMA extensions TO crm_reader'
	);
	($status, $out, $said) =
	  psql('SET ROLE crm_reader; CALL extensions.crm_upgrade_all()');
	is($status, 0, 'for a role that owns none there is nothing to do');
	is(older(), $number + 1, 'and nothing is done');
	return;
}

# Locks of another session keep two from being upgraded: the others are.
sub some_that_fail
{
	my $holder = $node->background_psql('fleet', on_error_stop => 1);
	my ($status, $out, $said);

	$holder->query_safe(
		'BEGIN; LOCK TABLE crm_3.deals, crm_5.deals IN ACCESS SHARE MODE');
	($status, $out, $said) = psql(
		q{SET lock_timeout = '100ms'; SET ROLE crm_owner; CALL extensions.crm_upgrade_all()}
	);
	is($status, 3, 'some could not be locked: an error');
	like(
		$said,
		qr/WARNING:  the CRM in schema "crm_3" was not upgraded\nDETAIL:  canceling statement due to lock timeout/,
		'warnings name them');
	like(
		$said,
		qr/ERROR:  2 of $number CRMs were not upgraded/,
		'and the error tells how many');
	like($said, qr/NOTICE:  $number of $number CRMs done/,
		'progress is told');
	$holder->quit;
	is(older(), 3, 'the others of this owner are upgraded');
	is( value(
			'SELECT max(held) < 400 AND max(held) < min(held) + 20 FROM public.locks'
		),
		't',
		'each in a transaction, whose locks end with it');
	return;
}

# Cancelled in the middle: what was done stays, and the next call does the rest.
sub interrupted
{
	my ($status, $out, $said);

	value('INSERT INTO public.slow DEFAULT VALUES');
	($status, $out, $said) = psql(
		q{SET statement_timeout = '3s'; SET ROLE crm_owner; CALL extensions.crm_upgrade_all()}
	);
	is($status, 3, 'cancelled');
	like($said, qr/ERROR:  canceling statement due to statement timeout/,
		'by a timeout');
	is(older(), 2, 'the first one is upgraded');
	is( value(
			q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'crm_5.deals'::regclass AND attname = 'next_step'}
		),
		0,
		'the one that was at it is as it was');
	value('DELETE FROM public.slow');
	return;
}

# Called again by two sessions at once: both find the CRM before either gets at it.
sub two_at_once
{
	my $holder = $node->background_psql('fleet', on_error_stop => 1);
	my @calls = map { ('-c', $_) } q{SET application_name = 'upgrader'},
	  'SET ROLE crm_owner', 'CALL extensions.crm_upgrade_all()';
	my $said = '';
	my @runs;

	$holder->query_safe(q{BEGIN; COMMENT ON SCHEMA crm_5 IS 'held'});
	push @runs,
	  IPC::Run::start(
		[ 'psql', '-XqAt', '-d', $node->connstr('fleet'), @calls ],
		'<', \undef, '2>>', \$said)
	  foreach 1 .. 2;
	$node->poll_query_until('fleet',
		q{SELECT count(*) = 2 FROM pg_stat_activity WHERE application_name = 'upgrader' AND wait_event_type = 'Lock'}
	) or die 'they do not wait';
	$holder->query_safe('COMMIT');
	$holder->quit;
	ok($_->finish, 'called again') foreach @runs;
	unlike($said, qr/WARNING|deadlock/, 'one waits for the other');
	like($said, qr/NOTICE:  1 of 1 CRMs done/, 'they do the rest only');
	is(older(), 1, 'but for those of another owner');
	return;
}

sub done_by_superuser
{
	# Of an owner who would like to be found by what the superuser does next.
	value(
		q{SET ROLE crm_app;
		CREATE FUNCTION other.divert() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN PERFORM set_config('search_path', 'other', false), set_config('crm.actor', current_user, false); RETURN NULL; END $$;
		CREATE TRIGGER divert BEFORE UPDATE ON other.pipelines EXECUTE FUNCTION other.divert()}
	);
	my ($status, $out, $said) = psql(
		q{SET search_path = public; SET crm.actor = 'me'; CALL extensions.crm_upgrade_all(); SHOW search_path; SHOW crm.actor}
	);

	is($status, 0,            'by a superuser');
	is($out,    "public\nme", 'whose settings no code of an owner changes');
	is(older(), 0,            'all are upgraded');
	is( value(
			q{SELECT string_agg(DISTINCT c.relowner::regrole::text, ',') FROM pg_class AS c WHERE c.relname = 'extra'}
		),
		'crm_app,crm_owner',
		'what a step creates belongs to the owner');
	is( value(
			q{SELECT count(*) FROM extensions.crm_fleet_check() WHERE object = 'version'}
		),
		0,
		'the check finds all versions right');
	return;
}
