
# What is not ours is not seen: of every function, operator and type of
# pg_catalog that SQL of ours uses, an ordinary user plants one of the same name
# that fits exactly, in every schema where anything could be looked up.  Then
# whatever there is of a CRM is called, and nothing planted runs.

use strict;
use warnings;

use CrmTest;
use NodeTree;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('namesakes');

$node->safe_psql('postgres', 'CREATE ROLE crm_mallory LOGIN');

# ---- what is used ----

create_database($node, 'origin', 'postgres');
$node->safe_psql('origin', <<~'SQL');
	SET client_min_messages = warning;
	CREATE SCHEMA extensions;
	CREATE EXTENSION crm SCHEMA extensions;
	SELECT extensions.crm_install('crm'), extensions.crm_install('team', 'shared');
	CREATE SCHEMA queries;
	SQL

# The queries of the reports, as functions whose bodies are kept analyzed.
my $queries = $node->safe_psql('origin', <<~'SQL');
	SELECT p.oid, q.oid
	FROM pg_proc AS q JOIN pg_proc AS p ON p.pronamespace = q.pronamespace
		AND p.proname = replace(q.proname, 'crm_query_', 'crm_') AND p.proargtypes[0] = 'regnamespace'::regtype
	WHERE q.proname LIKE 'crm\_query\_%'
	SQL
my @queries = split /\n/, $queries;
cmp_ok(scalar @queries, '>', 15, 'there are queries');
for my $pair (@queries)
{
	my ($function, $query) = split /\|/, $pair;

	$node->safe_psql('origin', <<~SQL);
		SET search_path = pg_catalog;
		DO \$do\$
		DECLARE
			body text;
			arguments text := (SELECT pg_get_function_identity_arguments($function));
			name text := (SELECT substr(proname, 5) FROM pg_proc WHERE oid = $function);
		BEGIN
			EXECUTE 'SELECT ' || $query\::regproc::text || '()' INTO body;
			body := replace(replace(body, '\@crm\@', 'crm'), '\@extension\@', 'extensions');
			-- what deals are grouped by is no name: a column stands for it
			body := regexp_replace(body, name || '\\.group_of\\.(\\w+)', '\\1.title', 'g');
			-- nor is whether there are few
			body := replace(body, name || '.few_deals', 'true');
			EXECUTE format('CREATE FUNCTION queries.%I(%s) RETURNS void LANGUAGE sql BEGIN ATOMIC %s; END',
				name, arguments, rtrim(body, E' \\n;'));
		END \$do\$;
		SQL
}

# All analyzed SQL: bodies, views, defaults, CHECKs, policies, indexes.
my @trees = split /\x01/, $node->safe_psql('origin', <<~'SQL');
	SELECT string_agg(tree, E'\x01') FROM (
		SELECT prosqlbody::text FROM pg_proc WHERE pronamespace::regnamespace::text IN ('extensions', 'crm', 'team', 'queries')
		UNION SELECT r.ev_action::text FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class WHERE c.relnamespace::regnamespace::text IN ('crm', 'team')
		UNION SELECT d.adbin::text FROM pg_attrdef AS d JOIN pg_class AS c ON c.oid = d.adrelid WHERE c.relnamespace::regnamespace::text IN ('crm', 'team')
		UNION SELECT conbin::text FROM pg_constraint WHERE connamespace::regnamespace::text IN ('crm', 'team')
		UNION SELECT polqual::text FROM pg_policy
		UNION SELECT i.indexprs::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE c.relnamespace::regnamespace::text IN ('crm', 'team')
		UNION SELECT i.indpred::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE c.relnamespace::regnamespace::text IN ('crm', 'team')
		UNION SELECT a.typdefaultbin::text FROM pg_type AS a WHERE a.typdefaultbin IS NOT NULL
	) AS t (tree) WHERE tree IS NOT NULL
	SQL
cmp_ok(scalar @trees, '>', 80, 'and much else that is analyzed');

my %used;
for my $tree (@trees)
{
	$used{ join ' ', @$_ } = $_ for NodeTree::names($tree);
}

# What the C code's queries use by names with a schema is in the lint.

# The statements that plant it all in a schema.
my $values = join ",\n", map {
	my ($kind, $oid, $result, @types) = @$_;
	"('$kind', $oid\::oid, $result\::oid, ARRAY["
	  . join(', ', @types)
	  . "]::oid[])"
} map { $used{$_} } sort keys %used;
my $plants = $node->safe_psql('origin', <<~SQL);
	SET search_path = pg_catalog;
	WITH used (kind, oid, result, types) AS (VALUES $values),
	typed AS (
		SELECT DISTINCT u.kind, u.oid, CASE r.typtype WHEN 'p' THEN 'text' ELSE format_type(r.oid, NULL) END AS result,
			(SELECT coalesce(string_agg(format_type(t.oid, NULL), ', ' ORDER BY t.n), '')
				FROM unnest(u.types) WITH ORDINALITY AS t (oid, n)) AS args,
			(SELECT array_agg(format_type(t.oid, NULL) ORDER BY t.n) FROM unnest(u.types) WITH ORDINALITY AS t (oid, n)) AS list
		FROM used AS u JOIN pg_type AS r ON r.oid = u.result
		-- nothing that only the origin has, nor what cannot be an argument
		WHERE NOT EXISTS (SELECT FROM unnest(u.types) AS a (oid) JOIN pg_type AS t ON t.oid = a.oid
			WHERE t.typtype = 'p' OR t.typnamespace <> 'pg_catalog'::regnamespace)
	)
	SELECT format(E'function\t%I\t%s\t%s', p.proname, min(t.result), t.args)
	FROM typed AS t JOIN pg_proc AS p ON p.oid = t.oid
	WHERE t.kind = 'function' AND p.pronamespace = 'pg_catalog'::regnamespace
	GROUP BY p.proname, t.args
	UNION
	SELECT format(E'operator\t%s\t%s\t%s\t%s', o.oprname, format_type(o.oprresult, NULL), CASE WHEN o.oprleft = 0 THEN NULL ELSE t.list[1] END, t.list[cardinality(t.list)])
	FROM typed AS t JOIN pg_operator AS o ON o.oid = t.oid
	WHERE t.kind = 'operator' AND o.oprnamespace = 'pg_catalog'::regnamespace
	UNION
	SELECT format(E'type\t%I', y.typname)
	FROM used AS t JOIN pg_type AS y ON y.oid = t.oid
	WHERE t.kind = 'type' AND y.typnamespace = 'pg_catalog'::regnamespace AND y.typtype <> 'p' AND y.typname NOT LIKE '\\_%'
	SQL
my @plants = split /\n/, $plants;
my %count;
$count{ (split /\t/)[0] }++ for @plants;
note(join ', ', map { "$count{$_} ${_}s" } sort keys %count);
cmp_ok($count{function}, '>', 100,
	'functions with the types that they are called with');
cmp_ok($count{operator}, '>', 60, 'operators');
cmp_ok($count{type},     '>', 15, 'types');

# ---- planting ----

create_database($node, 'target', 'postgres');
$node->safe_psql('target', <<~'SQL');
	CREATE SCHEMA traps AUTHORIZATION crm_mallory;
	CREATE SEQUENCE traps.strikes;
	GRANT ALL ON traps.strikes TO PUBLIC;
	GRANT USAGE ON SCHEMA traps TO PUBLIC;
	GRANT CREATE ON SCHEMA public TO crm_mallory;
	CREATE SCHEMA extensions;
	GRANT CREATE, USAGE ON SCHEMA extensions TO crm_mallory;
	GRANT USAGE ON SCHEMA extensions TO crm_owner;
	GRANT CREATE ON DATABASE target TO crm_owner;
	SET ROLE crm_mallory;
	-- nextval() is not undone by an error
	CREATE FUNCTION traps.strike() RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_catalog.nextval('traps.strikes'::pg_catalog.regclass);
		RAISE EXCEPTION 'struck as %', current_user USING ERRCODE = 'EV1LS';
	END $$;
	SQL

my $operators = 0;

# As mallory, in the schema.
sub plant
{
	my ($schema) = @_;
	my $sql =
	  "SET ROLE crm_mallory;\nSET search_path = pg_catalog;\nSET client_min_messages = error;\n";
	my $body =
	  q{LANGUAGE plpgsql AS 'BEGIN PERFORM traps.strike(); RETURN NULL; END'};

	for (@plants)
	{
		my ($kind, $name, $result, @args) = split /\t/, $_, -1;

		if ($kind eq 'function')
		{
			$sql .=
			  "CREATE FUNCTION $schema.$name($args[0]) RETURNS $result $body;\n";
		}
		elsif ($kind eq 'operator')
		{
			my $function = "$schema.op" . ++$operators;
			my $types = join ', ', grep { $_ ne '' } @args;
			my $sides = ($args[0] eq '' ? '' : "LEFTARG = $args[0], ")
			  . "RIGHTARG = $args[1]";

			$sql .=
				"CREATE FUNCTION $function($types) RETURNS $result $body;\n"
			  . "CREATE OPERATOR $schema.$name (FUNCTION = $function, $sides);\n";
		}
		else
		{
			$sql .=
			  "CREATE DOMAIN $schema.$name AS pg_catalog.$name CHECK (traps.strike());\n";
		}
	}
	$node->safe_psql('target', $sql);
	return;
}

plant('public');
plant('extensions');
$node->safe_psql('target',
	'REVOKE CREATE ON SCHEMA extensions, public FROM crm_mallory');

my $path =
  'SET search_path = public, extensions, crm, team, pg_catalog; SET client_min_messages = warning;';

sub strikes
{
	return $node->safe_psql('target',
		'SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM traps.strikes'
	);
}

# Runs a statement of no names but ours; returns the SQLSTATE of its error.
sub runs
{
	my ($role,   $statement, $name) = @_;
	my ($status, $out,       $err) = $node->psql('target',
		"SET SESSION AUTHORIZATION $role;\n$path\n\\set VERBOSITY verbose\n$statement"
	);

	my ($error) = $err =~ /(ERROR:.*)/;

	is($error // 'no error', 'no error', "$role: $name");
	return $out;
}

my ($harness) = $node->psql('target', "$path SELECT lower('X')");
isnt($harness, 0, 'the traps strike');
is(strikes(), 1, 'and tell');
$node->safe_psql('target', "SELECT setval('traps.strikes', 1, false)");

# ---- install ----

runs(
	'postgres',
	'CREATE EXTENSION crm SCHEMA extensions;',
	'CREATE EXTENSION');
runs('postgres', "SELECT extensions.crm_install('crm');", 'crm_install');
runs(
	'crm_owner',
	"SELECT extensions.crm_install('team', 'shared');",
	'crm_install, shared');
$node->safe_psql('target',
	'GRANT CREATE, USAGE ON SCHEMA crm, team TO crm_mallory');
plant($_) for qw(crm team);
$node->safe_psql('target',
	'REVOKE CREATE ON SCHEMA crm, team FROM crm_mallory; GRANT USAGE ON SCHEMA extensions TO PUBLIC;'
	  . 'CREATE TABLE traps.people (id uuid PRIMARY KEY, name text); GRANT REFERENCES, SELECT ON traps.people TO crm_owner;'
	  . q{INSERT INTO traps.people VALUES ('00000000-0000-4000-8000-0000000000c1', 'Grace')}
);

# ---- use ----

# Every function of the API, with these arguments and the defaults.
my %argument = (
	crm => undef,
	at => "'2024-01-15'",
	contact_id => "'00000000-0000-4000-8000-0000000000c1'",
	deal_id => "'00000000-0000-4000-8000-0000000000d1'",
	from_at => "'2024-01-01'",
	base => "'EUR'",
	quote => "'USD'",
	measure => "'visit'",
	name => "'P'",
	person_id => "'00000000-0000-4000-8000-0000000000c1'",
	pipeline_id => "'00000000-0000-4000-8000-0000000000a1'",
	stage_id => "'00000000-0000-4000-8000-0000000000b1'",
	stage_ids =>
	  "'{00000000-0000-4000-8000-0000000000b1,00000000-0000-4000-8000-0000000000b3,00000000-0000-4000-8000-0000000000b2}'",
	stages => q{'["a", {"name": "w", "deal_status": "won"}]'},
	to_at => "'2024-02-01'");
my %own_call = (
	correct_move =>
	  "deal_id => '00000000-0000-4000-8000-0000000000d1', changed_at => pg_catalog.now()",
	replace_history =>
	  "deal_id => '00000000-0000-4000-8000-0000000000d2', history => '[{\"stage_id\": \"00000000-0000-4000-8000-0000000000b1\", \"at\": \"2024-01-01\"}]', reason => 'late'",
	mcp => q{'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'},
	merge_deals =>
	  "keep => '00000000-0000-4000-8000-0000000000d1', merge => '00000000-0000-4000-8000-0000000000d2'",
	unmerge_deals => "merged => '00000000-0000-4000-8000-0000000000d2'",
	move_deal =>
	  "deal_id => '00000000-0000-4000-8000-0000000000d1', stage_id => '00000000-0000-4000-8000-0000000000b3'",
	delete_stage =>
	  "stage_id => '00000000-0000-4000-8000-0000000000b1', move_deals_to => '00000000-0000-4000-8000-0000000000b2'"
);

sub api_calls
{
	my ($schema) = @_;
	my $list = $node->safe_psql('target', <<~SQL);
		SET search_path = pg_catalog;
		SELECT proname, array_to_string(proargnames[1:pronargs - pronargdefaults], ' ') FROM pg_proc
		WHERE pronamespace = '$schema'::regnamespace AND prolang = (SELECT oid FROM pg_language WHERE lanname = 'crm')
		ORDER BY proname = 'delete_stage', proname <> 'move_deal', proname
		SQL
	my @calls;

	for (split /\n/, $list)
	{
		my ($name, $args) = split /\|/;

		push @calls, [
			$name,
			$own_call{$name} // join ', ',
			map {
				defined $argument{$_} ? "$_ => $argument{$_}" : "$_ => NULL"
			} split / /,
			$args // ''
		];
	}
	return @calls;
}

for my $case ([ 'postgres', 'crm' ], [ 'crm_owner', 'team' ])
{
	my ($role, $schema) = @$case;
	my $tenant =
	  "SET crm.tenant_id = '11111111-1111-4111-8111-111111111111';";
	my $do = sub { runs($role, "$tenant $_[0]", "$schema: $_[1]") };

	$do->(<<~SQL, 'writes');
		INSERT INTO $schema.pipelines (id, name, is_default) VALUES ('00000000-0000-4000-8000-0000000000a1', 'Sales', true);
		INSERT INTO $schema.stages (id, pipeline_id, name, deal_status, rotting_days, probability) VALUES
			('00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-0000000000a1', 'Lead', 'open', 5, 0.1),
			('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000a1', 'Demo', 'open', NULL, 0.2),
			('00000000-0000-4000-8000-0000000000b3', '00000000-0000-4000-8000-0000000000a1', 'Won', 'won', NULL, NULL);
		INSERT INTO $schema.deals (id, title, amount, currency, created_at, stage_entered_at) VALUES
			('00000000-0000-4000-8000-0000000000d1', 'one', 10, 'EUR', '2024-01-01', '2024-01-01'),
			('00000000-0000-4000-8000-0000000000d2', 'two', 20, 'USD', '2024-01-01', '2024-01-01');
		SET crm.effective_at = '2024-01-10';
		UPDATE $schema.deals SET status = 'won';
		SET crm.effective_at = '2024-01-12';
		UPDATE $schema.deals SET status = 'open';
		SET crm.effective_at = '';
		UPDATE $schema.deals SET amount = 30, expected_close_date = '2024-05-01';
		UPDATE $schema.deals SET expected_close_date = '2024-07-01';
		INSERT INTO $schema.tags (id, name) VALUES ('00000000-0000-4000-8000-0000000000e1', 'hot');
		INSERT INTO $schema.deal_tags (deal_id, tag_id) VALUES ('00000000-0000-4000-8000-0000000000d1', '00000000-0000-4000-8000-0000000000e1');
		INSERT INTO $schema.exchange_rates (base, quote, rate, valid_from) VALUES ('EUR', 'USD', 2, '2020-01-01');
		SQL
	$do->(
		"SELECT extensions.crm_link('$schema', 'deal_contacts.contact_id', 'traps.people');",
		'crm_link');
	$do->(
		"INSERT INTO $schema.deal_contacts (deal_id, contact_id) VALUES ('00000000-0000-4000-8000-0000000000d1', '00000000-0000-4000-8000-0000000000c1');",
		'a contact');
	for my $call (api_calls($schema))
	{
		my ($name, $args) = @$call;

		$do->("SELECT * FROM $schema.$name($args);", $name);
	}
	$do->(
		"SELECT * FROM $schema.pipeline_summary('00000000-0000-4000-8000-0000000000a1', in_currency => 'USD', tag_id => '00000000-0000-4000-8000-0000000000e1');",
		'pipeline_summary, converted');
	$do->(
		"SELECT * FROM $schema.win_rate('00000000-0000-4000-8000-0000000000a1', in_currency => 'USD');",
		'win_rate, converted');
	$do->("TABLE $schema.$_;", $_)
	  for
	  qw(stage_visits deal_pushes deal_facts move_facts rotting_deals pipeline_stage_summary stage_forecast_categories contacts stage_totals);
	$do->(
		"SELECT d.*, d.weighted_value FROM $schema.deals AS d; SELECT p.summary FROM $schema.pipelines AS p;",
		'computed fields');
	$do->(
		"SELECT * FROM $schema.deals AS d, $schema.stage_changes(d) AS c, $schema.to_stage(c), $schema.from_pipeline(c);",
		'computed relationships');
	$do->("SELECT * FROM extensions.$_('$schema');", $_)
	  for
	  qw(crm_check crm_upgrade crm_embed crm_check_totals crm_compact_totals crm_rebuild_totals crm_installed_version);
	$do->(
		"SELECT extensions.crm_grant_access('$schema', 'crm_app', 'write'), extensions.crm_revoke_access('$schema', 'crm_app');",
		'access');
	$do->(
		"SELECT * FROM extensions.crm_installations();",
		'crm_installations');
	$do->(
		"SELECT $schema.mcp('{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"$_\",\"arguments\":{}}}');",
		"mcp: $_")
	  for qw(deals_list stages_list pipelines_list tags_list contacts_search);
	$do->(
		"DELETE FROM $schema.deals; TRUNCATE $schema.deals, $schema.deal_tags, $schema.deal_contacts;",
		'the end of deals');
	$do->(
		"SELECT extensions.crm_unlink('$schema', 'deal_contacts.contact_id');",
		'crm_unlink');
}
is(strikes(), 0, 'nothing that was planted has run');

# ---- namesakes of ours ----

# Better fitting ones beside the extension are refused, whoever calls a member
# of what they are.
$node->safe_psql('target', <<~'SQL');
	GRANT CREATE ON SCHEMA extensions TO crm_mallory;
	SET ROLE crm_mallory;
	SET search_path = pg_catalog;
	CREATE FUNCTION extensions.crm_name_key(uuid) RETURNS uuid LANGUAGE plpgsql AS 'BEGIN PERFORM traps.strike(); END';
	RESET ROLE;
	REVOKE CREATE ON SCHEMA extensions FROM crm_mallory;
	SQL
my $refused =
  qr/function extensions.crm_name_key\(uuid\) stands beside the extension/;
for my $member ('',
	'ALTER EXTENSION crm ADD FUNCTION extensions.crm_name_key(uuid);')
{
	for my $statement ("SELECT extensions.crm_install('another')",
		"SELECT crm.funnel('00000000-0000-4000-8000-0000000000a1')")
	{
		my ($status, $out, $err) =
		  $node->psql('target', "BEGIN; $member $statement");
		like($err, $refused, ($member ? 'a member: ' : '') . $statement);
	}
}
is(strikes(), 0, 'nor have those');

# Also before there is an extension.
create_database($node, 'early', 'postgres');
$node->safe_psql('early', <<~'SQL');
	CREATE SCHEMA extensions AUTHORIZATION crm_mallory;
	SET ROLE crm_mallory;
	CREATE FUNCTION extensions.crm_name_key(uuid) RETURNS uuid LANGUAGE sql AS 'SELECT $1';
	SQL
my ($status, $out, $err) =
  $node->psql('early', 'CREATE EXTENSION crm SCHEMA extensions');
like($err, $refused,
	'CREATE EXTENSION in a schema of somebody who planted one');

$node->stop;
done_testing();
