
# Code shared by the TAP tests: a server, CRMs filled by every kind of write, and checks
# that every CRM must pass.

package CrmTest;

use strict;
use warnings;

use Exporter 'import';
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  new_node create_roles create_database crm_session install fill link_people
  add_own_objects make_origin dump_text digest same_text sorted history_agrees
  still_works all_work psql_file reading_calls
);

# In CRMs of shared tenancy, the tenants.
our @tenants = (
	'11111111-1111-4111-8111-111111111111',
	'22222222-2222-4222-8222-222222222222');

# The CRMs of make_origin(): schema, tenancy, tenants.
our @crms = (
	[ 'crm',           'single', undef ],
	[ 'team',          'shared', @tenants ],
	[ 'Büro "Nord" 1', 'single', undef ]);

my $digest_sql = slurp_file(dirname(__FILE__) . '/digest.sql');
my $fill_sql = do { local $/ = undef; <DATA> };

# A running server, for databases in UTF-8, with the roles crm_owner, who owns
# CRMs, crm_app, who owns nothing and works with them, and crm_agent, who has a level.
# install_path names the folder of another PostgreSQL than the one that is tested.
sub new_node
{
	my ($name, %init) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name,
		install_path => delete $init{install_path});

	$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ], %init);
	$node->append_conf('postgresql.conf', "timezone = 'Europe/Rome'");
	$node->start;
	$node->safe_psql('postgres',
		'CREATE ROLE crm_owner LOGIN; CREATE ROLE crm_app LOGIN; CREATE ROLE crm_agent LOGIN'
	);
	return $node;
}

sub create_database
{
	my ($node, $db, $owner) = @_;

	$owner //= 'crm_owner';
	$node->safe_psql('postgres',
		"CREATE DATABASE $db OWNER $owner TEMPLATE template0");
	return;
}

sub quote_ident
{
	my ($name) = @_;

	$name =~ s/"/""/g;
	return qq{"$name"};
}

sub quote_literal
{
	my ($text) = @_;

	$text =~ s/'/''/g;
	return "'$text'";
}

# SQL that begins a session of that role in the CRM.
sub crm_session
{
	my ($role, $schema, $tenant) = @_;

	return
		"SET SESSION AUTHORIZATION $role;\n"
	  . 'SET search_path = '
	  . quote_ident($schema)
	  . ", extensions;\n"
	  . ($tenant ? "SET crm.tenant_id = '$tenant';\n" : '');
}

# A CRM of crm_owner's for crm_app, and the extension if it is not there yet.
sub install
{
	my ($node, $db, $schema, $tenancy) = @_;
	my ($name, $text) = (quote_ident($schema), quote_literal($schema));

	$node->safe_psql($db, crm_session('crm_owner', $schema) . <<~SQL);
		SET client_min_messages = warning;
		CREATE SCHEMA IF NOT EXISTS extensions;
		GRANT USAGE ON SCHEMA extensions TO crm_app;
		CREATE EXTENSION IF NOT EXISTS crm SCHEMA extensions;
		SELECT crm_install($text, '$tenancy');
		GRANT USAGE ON SCHEMA $name TO crm_app;
		GRANT SELECT, INSERT, UPDATE, DELETE
			ON pipelines, stages, deals, deal_contacts, tags, deal_tags, exchange_rates TO crm_app;
		GRANT SELECT ON stage_changes, deal_changes TO crm_app;
		GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA $name TO crm_app;
		SQL
	return;
}

# Fills a CRM by every kind of write; one of shared tenancy, for one tenant.
sub fill
{
	my ($node, $db, $schema, $tenant) = @_;

	$node->safe_psql($db,
		crm_session('crm_app', $schema, $tenant) . $fill_sql);
	return;
}

# Links the contacts of a CRM to a table of the user's, which gets them all.
sub link_people
{
	my ($node, $db, $schema) = @_;
	my $text = quote_literal($schema);

	$node->safe_psql($db, crm_session('crm_owner', $schema) . <<~SQL);
		CREATE SCHEMA app;
		GRANT USAGE ON SCHEMA app TO crm_app;
		CREATE TABLE app.people (id uuid PRIMARY KEY, name text NOT NULL, "E-Mail" text);
		GRANT SELECT ON app.people TO crm_app;
		INSERT INTO app.people SELECT DISTINCT contact_id, 'Person ' || role FROM deal_contacts;
		SELECT crm_link($text, 'deal_contacts.contact_id', 'app.people');
		SQL
	return;
}

# Adds objects as users do: columns, triggers and so on.  Needs link_people() first.
sub add_own_objects
{
	my ($node, $db, $schema) = @_;

	$node->safe_psql($db, crm_session('crm_owner', $schema) . <<~'SQL');
		ALTER TABLE deals ADD junk int, ADD region text NOT NULL DEFAULT 'emea',
			ADD yearly numeric GENERATED ALWAYS AS (amount * 12) STORED;
		ALTER TABLE deals DROP junk, ADD "Ümlaut" text[], ADD CONSTRAINT own_check CHECK (region <> '');
		ALTER TABLE stage_changes ADD note text DEFAULT 'automatic';
		COMMENT ON COLUMN deals.region IS 'a user''s own';
		CREATE INDEX own_idx ON deals (region, lower(title)) WHERE archived_at IS NULL;
		CREATE INDEX own_gin ON deals USING gin (metadata);
		CREATE STATISTICS own_statistics ON region, status FROM deals;
		ALTER TABLE deals SET (fillfactor = 80);
		CREATE FUNCTION app.own_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			NEW.region := lower(NEW.region);
			RETURN NEW;
		END $$;
		CREATE TRIGGER own_trigger BEFORE INSERT OR UPDATE ON deals
			FOR EACH ROW EXECUTE FUNCTION app.own_trigger();
		CREATE VIEW app.own_view WITH (security_invoker) AS
			SELECT d.*, s.name AS stage FROM deals d JOIN stages s ON s.id = d.stage_id;
		CREATE MATERIALIZED VIEW app.own_matview AS
			SELECT stage_id, count(*), sum(amount) FROM deals GROUP BY 1;
		ALTER TABLE deals ENABLE ROW LEVEL SECURITY;
		CREATE POLICY own_policy ON deals TO crm_app USING (region <> 'secret');
		CREATE TABLE app.own_table (
			deal_id uuid PRIMARY KEY REFERENCES deals ON DELETE CASCADE, note text);
		INSERT INTO app.own_table SELECT id, 'note' FROM deals;
		SELECT crm_track_column('crm', 'region');
		SELECT crm_enable_events('crm');
		SELECT crm_grant_access('crm', 'crm_agent', 'agent');
		GRANT SELECT (title, region), UPDATE (region) ON deals TO crm_agent WITH GRANT OPTION;
		REVOKE EXECUTE ON FUNCTION undo_move FROM crm_agent;
		ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO crm_agent;
		ALTER TABLE deals DISABLE TRIGGER own_trigger;
		ALTER TABLE deals ENABLE ALWAYS TRIGGER own_trigger;
		UPDATE deals SET region = 'APAC', "Ümlaut" = ARRAY['ä', NULL] WHERE amount > 100;
		SET client_min_messages = warning;
		CREATE PUBLICATION own_publication FOR TABLE deals, stage_changes;
		CREATE TABLE app.totals (pipeline_id uuid PRIMARY KEY, total crm_summary);
		INSERT INTO app.totals
			SELECT pipeline_id,
				crm_pipeline_summary(stage_id, amount, currency, probability, value_period)
			FROM deals GROUP BY 1;
		SQL
	return;
}

# A database with three CRMs: one with objects of the user's own, one of shared tenancy,
# and one in a schema whose name needs quotes.
sub make_origin
{
	my ($node, $db) = @_;

	create_database($node, $db);
	foreach my $crm (@crms)
	{
		my ($schema, $tenancy, @crm_tenants) = @$crm;

		install($node, $db, $schema, $tenancy);
		fill($node, $db, $schema, $_) foreach @crm_tenants;
	}
	link_people($node, $db, 'crm');
	add_own_objects($node, $db, 'crm');
	return;
}

# The dump of a database: its catalog, and every row in the order in which the table
# holds them, without the lines that differ from dump to dump.
sub dump_text
{
	my ($node, $db, @options) = @_;
	my ($stdout, $stderr);

	IPC::Run::run([ 'pg_dump', '--dbname', $node->connstr($db), @options ],
		'>', \$stdout, '2>', \$stderr)
	  or die "pg_dump failed: $stderr";
	$stdout =~ s/^\\(un)?restrict .*\n//mg;
	return $stdout;
}

# The catalogs, as PostgreSQL's functions show them, and the number and a hash of each
# table's rows.  Unlike a dump, it can be compared between versions of PostgreSQL.
sub digest
{
	my ($node, $db, %options) = @_;
	my $in = $options{schemas}
	  // q{nspname !~ '^(pg_|information_schema|public)'};
	my $but = $options{but} // "= ''";
	my $catalogs = $node->safe_psql($db, $digest_sql =~ s/\@in\@/$in/r);
	my $queries = $node->safe_psql($db, <<~SQL);
		SELECT string_agg(q, E'\\x01') FROM (SELECT format(\$f\$SELECT 'rows of %s: ' || count(*) || ' '
			|| coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '')
			FROM %1\$s AS t\$f\$,
				c.oid::regclass)
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE $in AND c.relkind IN ('r', 'm') AND NOT (c.relname $but)
			ORDER BY c.oid::regclass::text COLLATE "C") AS t (q)
		SQL

	return $catalogs . "\n"
	  . $node->safe_psql($db, join ";\n", split /\x01/, $queries);
}

# Calls of the functions that read, with the arguments that they need, of the CRM crm;
# what is asked of the past begins that long ago.
sub reading_calls
{
	my ($node, $db, $ago) = @_;

	return split /\n/, $node->safe_psql($db, <<~SQL);
		SELECT format('SELECT count(*) FROM %I(%s)', p.proname, (
			SELECT string_agg(format('%I => %s', a.name, CASE a.name
				WHEN 'pipeline_id' THEN 'md5(''p'')::uuid' WHEN 'deal_id' THEN 'md5(''d7'')::uuid'
				WHEN 'from_at' THEN 'now() - interval ''$ago''' WHEN 'at' THEN 'now() - interval ''$ago'''
				WHEN 'base' THEN '''CHF''' WHEN 'quote' THEN '''USD''' ELSE 'gen_random_uuid()' END), ', ')
			FROM unnest(p.proargnames) WITH ORDINALITY AS a (name, n) WHERE a.n <= p.pronargs - p.pronargdefaults))
		FROM pg_proc AS p JOIN extensions.crm_api_functions() AS f ON f.name = p.proname AND 'read' = ANY (f.levels)
		WHERE p.pronamespace = 'crm'::regnamespace AND f.name <> 'mcp'
		SQL
}

# Tests that two dumps are the same; if not, shows where they begin to differ.
sub same_text
{
	my ($got, $expected, $name) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir_short();
	my $diff = '';

	if ($got ne $expected)
	{
		append_to_file("$dir/got",      $got);
		append_to_file("$dir/expected", $expected);
		$diff =
		  `diff "$dir/expected" "$dir/got" | head -n 10 | cut -c 1-1000`;
	}
	is($diff, '', $name);
	return;
}

# The lines of a dump in an order that does not depend on where rows are stored.
sub sorted
{
	my ($text) = @_;

	return join "\n", sort split /\n/, $text;
}

# Tests that every CRM of make_origin() works, which changes them.
sub all_work
{
	my ($node, $db, $name) = @_;

	foreach my $crm (@crms)
	{
		my ($schema, undef, @crm_tenants) = @$crm;

		still_works($node, $db, $schema, $_, "$name: $schema")
		  foreach @crm_tenants;
	}
	return;
}

# The command that runs a script, up to its first error.
sub psql_file
{
	my ($db, $file, @options) = @_;

	return ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null',
		'-d', $db, '-f', $file, @options);
}

# Tests that each deal agrees with its history: the number of moves, the stage, and the
# values of the last change.
sub history_agrees
{
	my ($node, $db, $schema, $name) = @_;

	is( $node->safe_psql(
			$db,
			'SET search_path = '
			  . quote_ident($schema)
			  . <<~'SQL'), '', $name);
		;
		SELECT d.external_id, d.move_no, h.*
		FROM deals d, LATERAL (
			SELECT count(*), coalesce(max(c.move_no), 0) AS last,
				(array_agg(c.to_stage_id ORDER BY c.move_no DESC))[1] AS stands_in,
				(array_agg(c.to_status ORDER BY c.move_no DESC))[1] AS status
			FROM stage_changes c WHERE c.deal_id = d.id) h
		WHERE (h.count, h.last) IS DISTINCT FROM (d.move_no, d.move_no)
			OR d.move_no > 0 AND (h.stands_in, h.status) IS DISTINCT FROM (d.stage_id, d.status)
		SQL
	is( $node->safe_psql(
			$db,
			'SET search_path = '
			  . quote_ident($schema)
			  . <<~'SQL'), '', "$name: the last change");
		;
		SELECT d.external_id, h.*
		FROM deals d LEFT JOIN LATERAL (
			SELECT c.* FROM deal_changes c WHERE c.deal_id = d.id
			ORDER BY c.changed_at DESC, c.version DESC LIMIT 1) h ON true
		WHERE h.change IS NULL OR h.change = 'deleted' OR h.version > d.version
			OR (h.new_amount, h.new_currency, h.new_value_period, h.new_expected_close_date,
				h.new_owner_id, h.new_archived_at)
				IS DISTINCT FROM (d.amount, d.currency, d.value_period, d.expected_close_date,
				d.owner_id, d.archived_at)
		SQL
	return;
}

# stage_totals says what the deals add up to.
sub totals_are_right
{
	my ($node, $db, $schema, $name) = @_;
	my $function = $node->safe_psql($db,
		"SELECT oid::regproc FROM pg_proc WHERE proname = 'crm_check_totals'"
	);

	return unless $function;
	is( $node->safe_psql(
			$db, "SELECT * FROM $function(" . quote_literal($schema) . ')'),
		'', $name);
	return;
}

# Tests that a CRM filled by fill() works: it records moves, takes them back, numbers
# them without a gap, and applies its rules.  This changes the CRM.
sub still_works
{
	my ($node, $db, $schema, $tenant, $name) = @_;
	my $sql = crm_session('crm_app', $schema, $tenant);
	my ($stdout, $stderr);

	is( $node->safe_psql($db,
			$sql . <<~'SQL'), "1\n2|t|t", "$name: moves are recorded");
		SET client_min_messages = error;
		CREATE TEMP TABLE before AS SELECT * FROM deals WHERE external_id = 'many moves';
		UPDATE deals SET stage_id = s.id FROM stages s
			WHERE deals.external_id = 'many moves' AND s.pipeline_id = deals.pipeline_id AND s.name = 'Qualified';
		SELECT count(undo_move(id)) FROM before;
		SELECT count(*), b.move_no >= 4
				AND (min(c.move_no), max(c.move_no)) = (b.move_no + 1, b.move_no + 2),
			bool_and(d.stage_id = b.stage_id AND d.stage_entered_at = b.stage_entered_at
				AND d.move_no = b.move_no + 2)
		FROM before b JOIN deals d USING (id)
			JOIN stage_changes c ON c.deal_id = d.id AND c.move_no > b.move_no
		GROUP BY b.move_no;
		SQL
	is( $node->safe_psql($db,
			$sql . <<~'SQL'), 't', "$name: changes are recorded");
		SET client_min_messages = error;
		UPDATE deals SET amount = coalesce(amount, 0) + 7 WHERE external_id = 'many moves';
		SELECT c.change = 'updated' AND c.new_amount = d.amount AND coalesce(c.old_amount, 0) = d.amount - 7
		FROM deals d JOIN deal_changes c ON c.deal_id = d.id AND c.version = d.version
		WHERE d.external_id = 'many moves'
		SQL
	is($node->safe_psql($db, $sql . <<~'SQL'), '', "$name: and summed up");
		SELECT p.name, j, d
		FROM pipelines p, pipeline_summary(p.id) AS j,
			LATERAL (SELECT count(*) AS deals, count(*) - count(amount) AS deals_without_amount,
				count(*) - count(probability) AS deals_without_probability
				FROM deals WHERE pipeline_id = p.id AND archived_at IS NULL) AS d
		WHERE (d.deals, d.deals_without_amount, d.deals_without_probability) IS DISTINCT FROM
			((j ->> 'total_deals')::bigint, (j ->> 'deals_without_amount')::bigint,
				(j ->> 'deals_without_probability')::bigint)
		SQL
	totals_are_right($node, $db, $schema, "$name: totals are right");
	$node->psql(
		$db,
		$sql . 'UPDATE stage_changes SET changed_by = NULL',
		stderr => \$stderr);
	like(
		$stderr,
		qr/permission denied/,
		"$name: the history is not for crm_app to write");
	$node->psql(
		$db,
		"UPDATE "
		  . quote_ident($schema)
		  . '.stage_changes SET changed_by = NULL',
		stderr => \$stderr);
	like($stderr, qr/never updated/, "$name: and for nobody to change");
	history_agrees($node, $db, $schema, "$name: history and deals agree");
	return;
}

1;

__DATA__
SET client_min_messages = warning;
SET crm.actor = 'fill';

INSERT INTO pipelines (name, description, is_default, currency, metadata)
VALUES ('Sales', E'tab\there, \\N, "quoted"\nsecond line', true, 'EUR', '{"näme": ["ü", null, 1.50]}'),
	('Renewals', NULL, false, 'USD', '{}'),
	('Old', '', false, 'ITL', '{}');

INSERT INTO stages (pipeline_id, name, deal_status, probability, rotting_days)
SELECT p.id, s.name, s.deal_status, s.probability, s.rotting_days
FROM pipelines p,
	(VALUES ('Lead', 'open', 0.1, 7), ('Qualified', 'open', 0.3333, NULL), ('Proposal', 'open', NULL, NULL),
		('Legacy', 'open', 0.5, NULL), ('Backdated', 'open', 0.6, NULL), ('Trial', 'open', 0.7, NULL),
		('Won', 'won', 1, NULL), ('Won by renewal', 'won', 1, NULL), ('Lost', 'lost', 0, NULL))
		AS s (name, deal_status, probability, rotting_days);

CREATE FUNCTION pg_temp.stage(pipeline text, stage text) RETURNS uuid LANGUAGE sql AS
	'SELECT s.id FROM stages s JOIN pipelines p ON p.id = s.pipeline_id WHERE p.name = $1 AND s.name = $2';

-- Plain ones, then one for every way of life.
INSERT INTO deals
	(title, external_id, amount, currency, value_period, rank, created_at, expected_close_date)
SELECT 'Plain ' || i, 'plain ' || i, i * 1000.55, CASE WHEN i % 3 = 0 THEN 'JPY' END,
	(ARRAY['one_time', 'monthly', 'quarterly', 'annual'])[1 + i % 4], chr(97 + i),
	timestamptz '2023-01-01 00:00:00.000001+00' + i * interval '1 day', date '2030-01-01' + i
FROM generate_series(1, 20) AS i;
INSERT INTO deals (title, external_id, amount, created_at, metadata, owner_id)
SELECT E'Deal\twith \\ "' || e || E'"\n', e, 10 * length(e), timestamptz '2023-02-01 12:34:56.789123+00',
	jsonb_build_object('e', e), gen_random_uuid()
FROM unnest(ARRAY['won', 'won corrected', 'won corrected up', 'lost', 'lost corrected', 'lost empty', 'undone',
	'won undone', 'won twice', 'lost undone', 'reopened', 'in legacy', 'in backdated', 'in old', 'archived', 'moved on',
	'many moves', 'from trial', 'gone', 'no stage probability', 'own probability', 'born later', 'undone in legacy',
	'stage deleted']) AS e;
INSERT INTO deals (title, external_id, amount, currency)
VALUES ('no amount', 'no amount', NULL, NULL), ('currency alone', 'currency alone', NULL, 'CHF'),
	('max', 'max', 999999999999999.9999, 'EUR'), ('min', 'min', -999999999999999.9999, 'EUR'),
	('zero', 'zero', 0, 'EUR'), ('withdrawn', 'withdrawn', 1, 'ITL');
INSERT INTO deals (title, external_id, pipeline_id, status, lost_reason)
SELECT 'born closed', 'born closed', id, 'lost', 'was never ours' FROM pipelines WHERE name = 'Renewals';

-- Moves in bulk, each of its own date.
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Qualified'), stage_entered_at = created_at + interval '1 day 00:00:00.123456'
WHERE external_id LIKE 'plain %' AND amount > 5000;
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Won'), won_at = created_at + interval '30 days'
WHERE external_id LIKE 'plain %' AND amount > 15000;

UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Won'), stage_entered_at = '2023-03-01 09:00:00+00'
WHERE external_id LIKE 'won%';
UPDATE deals SET won_at = '2023-02-15 10:00:00.000001+00' WHERE external_id = 'won corrected';
UPDATE deals SET won_at = '2023-09-01 10:00:00.000001+00' WHERE external_id = 'won corrected up';
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Won by renewal') WHERE external_id = 'won twice';
SELECT undo_move(id) FROM deals WHERE external_id = 'won undone';

UPDATE deals SET status = 'lost', lost_reason = E'\\N; "price",\ttoo ''high''\n' WHERE external_id LIKE 'lost%';
UPDATE deals SET lost_at = '2023-03-01 10:00:00.999999+00' WHERE external_id = 'lost corrected';
UPDATE deals SET lost_reason = '' WHERE external_id = 'lost empty';
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Qualified') WHERE external_id = 'lost undone';
SELECT undo_move(id) FROM deals WHERE external_id = 'lost undone';
UPDATE deals SET status = 'lost', lost_reason = 'no answer' WHERE external_id = 'reopened';
UPDATE deals SET status = 'open' WHERE external_id = 'reopened';

UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Proposal') WHERE external_id IN ('undone', 'no stage probability', 'own probability');
SELECT undo_move(id) FROM deals WHERE external_id = 'undone';
UPDATE deals SET probability = 0.1234 WHERE external_id = 'own probability';
UPDATE deals SET probability = NULL WHERE external_id IN ('no stage probability', 'no amount');
UPDATE stages SET probability = 0.5 WHERE id = pg_temp.stage('Sales', 'Proposal');

-- What stands in archived stages and pipelines, since before and since after.
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Legacy') WHERE external_id = 'undone in legacy';
BEGIN;
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Legacy') WHERE external_id = 'in legacy';
UPDATE stages SET archived_at = now() WHERE id = pg_temp.stage('Sales', 'Legacy');
COMMIT;
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Qualified') WHERE external_id = 'undone in legacy';
SELECT undo_move(id) FROM deals WHERE external_id = 'undone in legacy';
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Backdated') WHERE external_id = 'in backdated';
UPDATE stages SET archived_at = '2023-06-30' WHERE id = pg_temp.stage('Sales', 'Backdated');
UPDATE deals SET pipeline_id = (SELECT id FROM pipelines WHERE name = 'Old') WHERE external_id = 'in old';
UPDATE pipelines SET archived_at = '2023-06-30' WHERE name = 'Old';
UPDATE deals SET archived_at = now() WHERE external_id = 'archived';

UPDATE deals SET stage_id = pg_temp.stage('Renewals', 'Proposal') WHERE external_id = 'moved on';
SET crm.effective_at = '2023-07-01 00:00:00+00';
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Qualified') WHERE external_id = 'many moves';
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Won') WHERE external_id = 'many moves';
UPDATE deals SET stage_id = pg_temp.stage('Renewals', 'Lead') WHERE external_id = 'many moves';
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Proposal') WHERE external_id = 'many moves';
RESET crm.effective_at;

-- History of what is gone: a stage whose deals changed their kind, a deal, an archived stage.
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Trial') WHERE external_id = 'from trial';
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Lead') WHERE external_id = 'from trial';
UPDATE stages SET deal_status = 'lost' WHERE id = pg_temp.stage('Sales', 'Trial');
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Qualified') WHERE external_id = 'gone';
DELETE FROM deals WHERE external_id = 'gone';
UPDATE deals SET stage_id = pg_temp.stage('Renewals', 'Trial') WHERE external_id = 'stage deleted';
UPDATE deals SET stage_id = pg_temp.stage('Renewals', 'Lead') WHERE external_id = 'stage deleted';
SELECT delete_stage(pg_temp.stage('Renewals', 'Trial'));

-- Changes of all kinds, and deals that came back.
UPDATE deals SET expected_close_date = '2024-02-29', owner_id = crm_external_uuid('people', 'x') WHERE status = 'open';
UPDATE deals SET amount = amount * 1.1 WHERE amount BETWEEN 1 AND 1000000;
UPDATE deals SET archived_at = '2023-08-01' WHERE external_id IN ('no amount', 'own probability');
UPDATE deals SET archived_at = NULL WHERE external_id = 'own probability';
CREATE TEMP TABLE back AS SELECT * FROM deals WHERE external_id IN ('own probability', 'won');
DELETE FROM deals WHERE id IN (SELECT id FROM back);
INSERT INTO deals SELECT * FROM back;
DROP TABLE back;

-- Times that were corrected, and a version that counts.
UPDATE deals SET created_at = clock_timestamp() WHERE external_id = 'born later';
UPDATE deals SET description = repeat('long ', 5000) WHERE external_id IN ('won', 'max');
BEGIN;
UPDATE deals SET stage_id = pg_temp.stage('Sales', 'Won') WHERE external_id = 'zero';
ROLLBACK;
INSERT INTO deals (title, external_id) VALUES ('again', 'zero') ON CONFLICT (tenant_id, external_id)
	DO UPDATE SET stage_id = pg_temp.stage('Sales', 'Qualified');

INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES
	('USD', 'EUR', '2020-01-01', 0.123456789012345678901234567890),
	('USD', 'JPY', '1900-01-01', 1e-20), ('USD', 'XXX', '2023-01-01', 1e20);
INSERT INTO tags (name, color) VALUES ('hot', '#ff0000'), ('Größe L', NULL);
INSERT INTO deal_tags (deal_id, tag_id) SELECT d.id, t.id FROM deals d, tags t WHERE d.amount > 100;
INSERT INTO deal_contacts (deal_id, contact_id, role, is_primary)
SELECT d.id, crm_external_uuid('people', n::text), n::text, n = 1
FROM deals d, generate_series(1, 3) AS n WHERE d.status <> 'lost';
