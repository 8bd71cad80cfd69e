
# Every function and aggregate of the extension, every trigger function, every
# table and the type crm_summary, with values that were chosen to be wrong: the
# server lives, no error is an internal one, and the totals stay exact.
#
# CRM_FUZZ_SECONDS: how long; CRM_FUZZ_SEED repeats a run.  The suite sanitized
# runs this with a library that checks itself.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{CRM_FUZZ_SECONDS} // 20;
my $seed = $ENV{CRM_FUZZ_SEED} // time;
my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = new_node('fuzz');

srand $seed;
note "CRM_FUZZ_SEED=$seed";
$node->append_conf('postgresql.conf', <<~'END');
	restart_after_crash = off
	statement_timeout = 10s
	work_mem = 64kB
	END
$node->restart;
create_database($node, 'fuzz');
install($node, 'fuzz', 'crm',  'single');
install($node, 'fuzz', 'team', 'shared');
fill($node, 'fuzz', 'crm');
fill($node, 'fuzz', 'team', $CrmTest::tenants[0]);
$node->safe_psql('fuzz', <<~'SQL');
	ALTER DATABASE fuzz SET search_path = crm, extensions;
	CREATE TABLE public.people (id uuid PRIMARY KEY, name text);
	-- tables that the triggers are not made for
	CREATE TABLE public.bare (id int, tenant_id uuid, stage_id text, deal_id uuid);
	CREATE TABLE public.alike (LIKE crm.deals INCLUDING ALL);
	-- real states of aggregates, to be damaged
	CREATE TABLE public.states AS
		SELECT extensions.crm_stage_history(c.deal_id, 0, c.move_no, c.from_stage_id, c.to_stage_id, c.entered_at, c.changed_at) AS state
		FROM crm.stage_changes AS c
		UNION ALL SELECT extensions.crm_deal_cohort(d.id, d.status, d.stage_id, d.stage_entered_at) FROM crm.deals AS d
		UNION ALL SELECT extensions.crm_summary_send(extensions.crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period)) FROM crm.deals AS d;
	-- functions that only an aggregate may call, as aggregates over any state
	SELECT format('CREATE AGGREGATE public.as_aggregate_%s(%s) (SFUNC = %s, STYPE = %s)', p.oid,
			(SELECT string_agg(format_type(t, NULL), ', ' ORDER BY n) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n) WHERE n > 1),
			p.oid::regproc, format_type(p.prorettype, NULL))
		FROM pg_proc AS p
		WHERE p.pronamespace = 'extensions'::regnamespace AND p.prokind = 'f' AND p.proargtypes[0] = p.prorettype
			AND p.prorettype IN ('bytea'::regtype, 'extensions.crm_summary'::regtype) AND p.pronargs > 1
		\gexec
	CREATE TABLE public.summaries AS
		SELECT extensions.crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period) AS summary
		FROM crm.deals AS d GROUP BY d.stage_id
		UNION ALL SELECT extensions.crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period) FROM crm.deals AS d;
	SQL

sub rows
{
	return split /\n/, $node->safe_psql('fuzz', shift);
}

my $version = $node->safe_psql('fuzz', 'SELECT crm_version()');

sub pick { return $_[ rand @_ ] }

sub quoted
{
	my ($text, $type) = @_;

	return CrmTest::quote_literal($text) . "::$type";
}

# ---- what there is ----

my @functions = map { [ split /\|/ ] } rows(<<~'SQL');
	SELECT p.prokind, p.oid::regproc,
		(SELECT string_agg(format_type(t, NULL) || '=' || coalesce(p.proargnames[n], ''), ',' ORDER BY n)
			FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n))
	FROM pg_proc AS p LEFT JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
		LEFT JOIN pg_extension AS e ON e.oid = d.refobjid
	WHERE (e.extname = 'crm' OR p.pronamespace = 'crm'::regnamespace OR p.proname LIKE 'as\_aggregate\_%')
		AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'language_handler'::regtype)
		AND NOT 'internal'::regtype = ANY (p.proargtypes)
	SQL
my @triggers = rows(<<~'SQL');
	SELECT p.oid::regproc FROM pg_proc AS p
	WHERE p.proname LIKE 'crm\_%' AND p.prorettype = 'trigger'::regtype
	SQL
my %columns;
foreach (rows(<<~'SQL'))
	SELECT c.oid::regclass, a.attname, format_type(a.atttypid, NULL)
	FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
	WHERE c.relnamespace::regnamespace::text IN ('crm', 'team') AND c.relkind = 'r' AND a.attnum > 0
		AND a.attgenerated = ''
	SQL
{
	my ($table, $column, $type) = split /\|/;

	push @{ $columns{$table} }, [ $column, $type ];
}
my %relations =
  map { $_ => 1 }
  rows(
	q{SELECT oid::regclass FROM pg_class WHERE relnamespace::regnamespace::text IN ('crm', 'pg_catalog') AND relkind IN ('r', 'v')}
  );
my @ids = rows(
	'SELECT id FROM pipelines UNION ALL SELECT id FROM stages UNION ALL (SELECT id FROM deals LIMIT 30)'
	  . ' UNION ALL SELECT id FROM tags UNION ALL SELECT id FROM team.stages UNION ALL (SELECT contact_id FROM deal_contacts LIMIT 5)'
);
my %ids = map { $_ => [ rows("SELECT id FROM ${_}s LIMIT 50") ] }
  qw(pipeline stage deal tag);
my @summaries = rows('SELECT summary FROM public.summaries');
my @states = rows('SELECT state FROM public.states');

# ---- values ----

my @texts = (
	'',                       ' ',
	'crm',                    'team',
	'public',                 'nowhere',
	'EUR',                    'usd',
	'XXX',                    'open',
	'won',                    'lost',
	'monthly',                'annual',
	'visit',                  'deal',
	'day',                    'week',
	'month',                  'quarter',
	'read',                   'write',
	'admin',                  'agent',
	'crm_app',                'crm_owner',
	'PUBLIC',                 'id',
	'name',                   'amount',
	'shared',                 'single',
	'fill',                   'SET NULL',
	'cascade',                'value',
	'count',                  'owner',
	'stage',                  "a'b\\c\"d",
	"\x{fc}\x{200b}\x{fb01}", 'NaN',
	'-1',                     '2024-02-30',
	'%s%n',                   'x' x 3000,
	'{}',                     '[]',
	'"crm"',                  'public.people',
	'crm.deals',              "\t\n");
my @json = (
	'null',
	'{}',
	'[]',
	'""',
	'0',
	'-1e400',
	'[null]',
	'["a", "b"]',
	'["a", "A"]',
	'[{"name": "a", "deal_status": "won"}]',
	'[[]]',
	'{"a": {}}',
	'[{"name": null}]',
	'[{"name": "a", "probability": 2}]',
	'[{"stage_id": "x", "at": "infinity"}]',
	'{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
	'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deals_list","arguments":{"limit":-1}}}',
	'[' . ('[' x 200) . (']' x 200) . ']',
	'[' . join(',', ('"s"') x 1200) . ']');
my @times = (
	'infinity',               '-infinity',
	'4713-01-01 00:00:00 BC', '294276-12-31 23:59:59',
	'1900-01-01',             '9999-12-31',
	'now',                    '2024-01-15',
	'2023-03-01 09:00:00+00', '1970-01-01',
	'2000-01-01',             '2030-06-01');
my @numbers = (
	0, 1, -1, 0.5, '1e-20', '0.00005', '999999999999999.9999', '1e15',
	'-999999999999999.9999', 'NaN', '1e100', '1e-1000', 100);

# A byte of a text changed, taken away or put in.
sub damage
{
	my ($text, @chars) = @_;

	for (1 .. 1 + rand 4)
	{
		my $kind = int rand 3;
		my $at = int rand(1 + length $text);

		next if $at >= length $text;
		substr($text, $at, 1, $kind == 0 ? '' : pick(@chars)) if $kind < 2;
		substr($text, $at, 0, pick(@chars)) if $kind == 2;
	}
	return $text;
}

sub damaged_bytes
{
	my ($hex) = @_;
	my $bytes = pack 'H*', substr($hex, 2);

	return $hex if rand() < 0.3;
	$bytes = substr $bytes, 0, rand length $bytes if rand() < 0.2;
	substr($bytes, rand length $bytes,
		1, chr pick(0, 1, 127, 128, 255, int rand 256))
	  for 1 .. rand 5;
	$bytes .= chr(rand 256) x rand 40 if rand() < 0.1;
	return '\\x' . unpack 'H*', $bytes;
}

my %value = (
	'uuid' => sub {
		return quoted(
			rand() < 0.8
			? pick(@ids)
			: pick(
				'00000000-0000-0000-0000-000000000000',
				'ffffffff-ffff-ffff-ffff-ffffffffffff',
				@CrmTest::tenants),
			'uuid');
	},
	'text' => sub { return quoted(pick(@texts), 'text') },
	'cstring' => sub {
		return quoted(damage(pick(@summaries), split //, '{}[]":,0e-9\\u '),
			'cstring');
	},
	'name' => sub { return quoted(substr(pick(@texts), 0, 60), 'name') },
	'numeric' => sub { return quoted(pick(@numbers), 'numeric') },
	'integer' => sub {
		return pick(0, 1, -1, 2, 100, 2147483647, '(-2147483648)') . '::int';
	},
	'bigint' => sub {
		return pick(0, 1, '9223372036854775807', "('-9223372036854775808')")
		  . '::bigint';
	},
	'boolean' => sub { return pick('true', 'false') },
	'timestamp with time zone' =>
	  sub { return quoted(pick(@times), 'timestamptz') },
	'date' => sub {
		return quoted(
			pick(
				'infinity',      '-infinity',
				'5874897-12-31', '4713-01-01 BC',
				'2024-02-29',    'today',
				'1900-01-01',    '2023-02-01'),
			'date');
	},
	'jsonb' => sub { return quoted(pick(@json), 'jsonb') },
	'json' => sub { return quoted(pick(@json), 'json') },
	'anyelement' => sub {
		return pick(
			quoted(pick(@json), pick('json', 'jsonb')),
			"ARRAY[[1, NULL], [2, 3]]",
			"ARRAY['a', NULL]",
			"ARRAY['[1]'::json]",
			"'{}'::point[]",
			"'(1,2)'::point",
			"'a b'::text",
			"'NaN'::float8",
			"NULL::numeric",
			"'-infinity'::date",
			"ROW(1, 'a')");
	},
	'bytea' => sub { return quoted(damaged_bytes(pick(@states)), 'bytea') },
	'regnamespace' => sub {
		return quoted(pick('crm', 'crm', 'team', 'public', '0', '4294967295'),
			'regnamespace');
	},
	'regclass' => sub {
		return quoted(
			pick(
				'public.people', 'crm.deals',
				'team.deals',    'pg_class',
				'0',             'public.bare'),
			'regclass');
	},
	'oid' =>
	  sub { return pick("'crm.deals'::regclass::oid", 0, 1, 4294967295) },
	'crm_summary' => sub {
		return
		  rand() < 0.5
		  ? '(SELECT summary FROM public.summaries ORDER BY random() LIMIT 1)'
		  : quoted(pick(@summaries), 'extensions.crm_summary');
	},
	'"any"' => sub { return pick('NULL::text', "now()", '1', "'x'::text") });

# By its name an argument may be more often what it should be.
sub value
{
	my ($type, $name) = @_;

	return quoted(pick(@{ $ids{$1} }), 'uuid')
	  if ($name // '') =~ /^(\w+)_id$/ && $ids{$1} && rand() < 0.6;
	return q{'crm'::regnamespace} if ($name // '') eq 'crm' && rand() < 0.8;
	$type =~ s/^extensions\.//;
	return 'NULL' . ($type eq '"any"' ? '' : "::$type") if rand() < 0.1;
	if ($type =~ /^(.*)\[\]$/)
	{
		my $element = $1;
		my $n = pick(0, 1, 2, 3, 200);

		return
			'ARRAY['
		  . join(', ', map { value($element) } 1 .. $n)
		  . "]::$type";
	}
	return "(SELECT r FROM $type AS r ORDER BY random() LIMIT 1)"
	  if $relations{$type};
	die "no values of type $type" unless $value{$type};
	return $value{$type}->();
}

# ---- statements ----

sub call
{
	my ($kind, $name, $types) = @{ pick(@functions) };
	my @types = map { [ split /=/ ] } split /,/, $types // '';
	my $arguments = join ', ', map { value(@$_) } @types;

	return "SELECT * FROM $name($arguments)" unless $kind eq 'a';

	# Of some rows, in each way that aggregates run.
	my $rows = join ', ', map {
		'(' . join(', ', map { value(@$_) } @types) . ')'
	} 1 .. 1 + rand 6;
	my @names = map { "c$_" } 1 .. @types;
	my $list = join ', ', @names;
	my $way = pick(
		'%s',
		'%s FILTER (WHERE random() < 0.5)',
		'%s OVER (ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)',
		'%s OVER (ORDER BY random() ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING)'
	);

	return
		'SELECT '
	  . sprintf($way, "$name($list)")
	  . " FROM (VALUES $rows) AS v ($list)";
}

sub trigger
{
	my $function = pick(@triggers);
	my $table = pick('public.bare', 'public.alike', 'crm.tags');
	my $time = pick('BEFORE', 'AFTER');
	my $event = pick(qw(INSERT UPDATE DELETE TRUNCATE));
	my $each = $event eq 'TRUNCATE' ? 'STATEMENT' : pick(qw(ROW STATEMENT));
	my $arguments = join ', ', map {
		quoted(pick($version, 'x', '', '99.0.0', 'amount', '1'), 'text') =~
		  s/::text//r
	} 1 .. rand 3;
	my %new = (
		INSERT => 'NEW TABLE AS n',
		UPDATE => 'OLD TABLE AS o NEW TABLE AS n',
		DELETE => 'OLD TABLE AS o');
	my $referencing =
	  $time eq 'AFTER' && $new{$event} && rand() < 0.6
	  ? "REFERENCING $new{$event}"
	  : '';

	return
	  "CREATE TRIGGER t $time $event ON $table $referencing FOR EACH $each EXECUTE FUNCTION $function($arguments); "
	  . "INSERT INTO $table DEFAULT VALUES; UPDATE $table SET tenant_id = NULL; DELETE FROM $table; TRUNCATE $table CASCADE";
}

sub some
{
	my @all = @_;

	return grep { rand() < 4 / @all } @all;
}

sub write_row
{
	my $table = pick(keys %columns);
	my @set = some(@{ $columns{$table} });
	my $way = int rand 4;

	@set = ($columns{$table}[0]) unless @set;
	my ($first) = map { $_->[0] }
	  grep { $_->[0] =~ /^(?:id|deal_id)$/ } @{ $columns{$table} };
	my $where =
		'WHERE ctid IN (SELECT ctid FROM '
	  . "$table ORDER BY random() LIMIT "
	  . pick(1, 1, 5, 1000) . ')';

	return "DELETE FROM $table $where" if $way == 0;
	return
		"UPDATE $table SET "
	  . join(', ', map { "$_->[0] = " . value($_->[1], $_->[0]) } @set)
	  . " $where"
	  if $way == 1;
	return
		"INSERT INTO $table ("
	  . join(', ', map { $_->[0] } @set)
	  . ') VALUES '
	  . join(
		', ',
		map {
			'('
			  . join(', ', map { value($_->[1], $_->[0]) } @set) . ')'
		} 1 .. 1 + rand 3)
	  . (
		$way == 3 && $first && $table !~ /history/
		? pick(
			' ON CONFLICT DO NOTHING',
			" ON CONFLICT ($first) DO UPDATE SET $set[0][0] = EXCLUDED.$set[0][0]"
		  )
		: '');
}

sub setting
{
	my $name = pick(
		qw(crm.actor crm.tenant_id crm.tenant_claim crm.effective_at crm.restoring crm.clock_tolerance request.jwt.claims)
	);

	return "SET LOCAL $name = "
	  . CrmTest::quote_literal(pick(@texts, @times, @json, @ids, 'on', '1h'));
}

# A statement may be any, alone or behind a setting.  Writes to what only the
# superuser writes to, and settings, do not last.
sub statement
{
	my $kind = rand();
	my $sql =
		$kind < 0.6 ? call()
	  : $kind < 0.9 ? write_row()
	  :               trigger();
	my $before = join '', map { setting() . '; ' } 1 .. rand 2.2;
	my $lasts =
	  $sql !~
	  /stage_totals|stage_changes|deal_changes|TRIGGER|crm_install|crm_uninstall|crm_track|crm_link|crm_embed|access|events/
	  && $before eq ''
	  && rand() < 0.5;

	return $lasts ? "$sql;\n" : "BEGIN; $before$sql; ROLLBACK;\n";
}

# ---- runs ----

my %states;
my @wrong;
my $count = 0;

# What is an answer, for errors: not one that says that the code is wrong.
sub run_batch
{
	my @statements = map { statement() } 1 .. 500;
	my ($out, $err) = ('', '');
	my $script =
	  "\\set VERBOSITY sqlstate\n\\set ON_ERROR_ROLLBACK on\nSET crm.tenant_id = '$CrmTest::tenants[0]';\n";

	$script .= "\\echo @{[$_]}\n\\warn @{[$_]}\n$statements[$_]"
	  for 0 .. $#statements;
	my $status = $node->psql(
		'fuzz', $script,
		stdout => \$out,
		stderr => \$err,
		on_error_stop => 0,
		extra_params => [ '--output', '/dev/null' ]);
	my $at;

	foreach my $line (split /\n/, $err)
	{
		$at = $1 if $line =~ /^(\d+)$/;
		next unless $line =~ /ERROR:\s+(\w{5})/;
		$states{$1}++;
		push @wrong, "$1: $statements[$at]"
		  if $1 =~ /^XX/ && $1 ne 'XX001' && @wrong < 20;
	}
	$count += @statements;
	return 1 if $status == 0;
	push @wrong, 'the server is gone: ' . ($statements[ $at // 0 ]);
	return 0;
}

# Summaries in binary, damaged, one at a time.
sub run_binary
{
	my ($file) = ("$dir/binary");
	my $script =
	  "\\set VERBOSITY sqlstate\nCREATE TEMP TABLE got (s extensions.crm_summary);\n";
	my @values = map { damaged_bytes(pick(@states)) } 1 .. 100;

	foreach my $i (0 .. $#values)
	{
		my $value = pack 'H*', substr $values[$i], 2;

		open my $out, '>:raw', "$file.$i" or die;
		print $out "PGCOPY\n\xff\r\n\0", pack('NNnN', 0, 0, 1, length $value),
		  $value, pack('n', 0xffff);
		close $out;
		$script .= "\\copy got FROM '$file.$i' (FORMAT binary)\n"
		  . "SELECT count(s::text), count(s + s) FROM got;\nTRUNCATE got;\n";
	}
	my ($out, $err) = ('', '');
	my $status = $node->psql(
		'fuzz', $script,
		stdout => \$out,
		stderr => \$err,
		on_error_stop => 0);

	$states{$1}++ while $err =~ /ERROR:\s+(\w{5})/g;
	push @wrong, "$1 of a damaged binary value"
	  if $err =~ /ERROR:\s+(XX00[02])/;
	$count += @values;
	push @wrong, 'the server is gone: a damaged binary value' if $status;
	return $status == 0;
}

my $end = time + $seconds;
while (run_batch() && run_binary())
{
	last if time >= $end;
}
note "$count tried; errors by SQLSTATE: " . join ', ',
  map { "$_ $states{$_}" } sort keys %states;
is(join("\n", @wrong),
	'', "$count tried: no internal error, the server lives");
my $log = slurp_file($node->logfile);
unlike(
	$log,
	qr/terminated by signal|PANIC:|TRAP:|runtime error:/,
	'and nothing checked itself in vain');
cmp_ok($states{22023} // 0, '>', 0, 'there were proper errors');
foreach my $crm ('crm', 'team')
{
	last if grep { /server is gone/ } @wrong;
	is( $node->safe_psql(
			'fuzz', "SELECT * FROM extensions.crm_check_totals('$crm')"),
		'',
		"$crm: the totals are exact");
}

done_testing();
