# examples/import/csv.sql on the sample and, where it is at hand, on real data
# (CRM_SALES_CSV): every move of every deal is recorded with its true date, and
# pipeline_summary() says what SQL written by hand says.  What is expected is
# worked out here, from the file, without the database.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->start;

test_file(
	'sample',
	'examples/sample_pipeline.csv',
	deals => 200,
	moves => { Engaging => 181, Won => 89, Lost => 60 },
	won => '299836.39');

SKIP:
{
	my $file = $ENV{CRM_SALES_CSV};
	skip 'the real data is not at hand', 1 unless $file;
	test_file(
		'real', $file,
		deals => 8800,
		moves => { Engaging => 8300, Won => 4238, Lost => 2473 },
		won => '10005534');
}

test_refusals();
test_forms();
test_documentation();
test_export();
$node->stop;
done_testing();

# Imports a file into a database of its own and compares.
sub test_file
{
	my ($name, $file, %expected) = @_;
	my @rows = read_csv($file);

	new_crm($name);
	my ($status, $said, $complaint) = import_csv($name, $file);
	is($status, 0, "$name: the import succeeds") or diag $complaint;

	is(ask($name, 'SELECT count(*) FROM deals'),
		$expected{deals}, "$name: deals");
	my %moves = map { split /\|/ } split /\n/, ask(
		$name,
		q{SELECT s.name, count(*) FROM stage_changes c
			JOIN stages s ON s.id = c.to_stage_id GROUP BY 1});
	is_deeply(\%moves, $expected{moves}, "$name: moves into each stage");
	cmp_ok(ask($name, q{SELECT sum(amount) FROM deals WHERE status = 'won'}),
		'==', $expected{won}, "$name: value won");

	compare(
		$name, 'every move, with its date', [ moves_of(@rows) ], q{
		SELECT d.external_id, c.move_no, f.name, t.name,
			to_char(c.changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')
		FROM stage_changes c JOIN deals d ON d.id = c.deal_id
		JOIN stages f ON f.id = c.from_stage_id
		JOIN stages t ON t.id = c.to_stage_id});
	compare(
		$name, 'every deal', [ map { deal_of($_) } @rows ], q{
		SELECT d.external_id, s.name, d.status, trim_scale(d.amount), d.metadata ->> 'product',
			to_char(coalesce(d.won_at, d.lost_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
			d.owner_id = crm_external_uuid('csv/owner', d.metadata ->> 'sales_agent'),
			d.organization_id = crm_external_uuid('csv/organization', d.metadata ->> 'account')
		FROM deals d JOIN stages s ON s.id = d.stage_id});
	is( ask($name,
			'SELECT count(*) FROM stage_changes WHERE changed_at < entered_at'
		),
		0,
		"$name: nothing runs backwards");
	test_summary($name);
	test_past($name, @rows);

	# The same file again changes nothing.
	my $before = contents($name);
	($status, $said, $complaint) = import_csv($name, $file);
	is($status, 0, "$name: a second import succeeds") or diag $complaint;
	like(
		$said,
		qr/deals: unchanged +\| +$expected{deals}\n/,
		"$name: all deals are unchanged");
	is(contents($name), $before, "$name: and nothing has changed");
	return;
}

# The past: what pipeline_summary_as_of() says of some days is what the file says.
sub test_past
{
	my ($name, @rows) = @_;
	my @days =
	  sort map { $_->{engage_date} } grep { $_->{engage_date} ne '' } @rows;

	foreach my $day (@days[ 0, $#days / 3, $#days / 1.5, $#days ])
	{
		my %deals;

		foreach my $row (@rows)
		{
			my $since = $row->{engage_date} || $days[0];
			my $is_closed =
			  $row->{close_date} ne '' && $row->{close_date} le $day;

			next if $since gt $day;
			$deals{
				  $is_closed                ? $row->{deal_stage}
				: $row->{engage_date} ne '' ? 'Engaging'
				:                             'Prospecting'
			}++;
		}
		is( ask($name, qq{
				SELECT s ->> 'name', s ->> 'total_deals'
				FROM pipelines p, jsonb_array_elements(pipeline_summary_as_of(p.id, '$day 12:00 UTC') -> 'stages') s
				WHERE s ->> 'total_deals' <> '0' ORDER BY 1}),
			join("\n", map { "$_|$deals{$_}" } sort keys %deals),
			"$name: the deals of each stage on $day");
	}
	return;
}

# pipeline_summary() against SQL written by hand: to the last digit.
sub test_summary
{
	my $name = shift;

	is( ask($name, q{
			SELECT s ->> 'name', s ->> 'total_deals',
				trim_scale((s ->> 'total_value')::numeric),
				trim_scale((s ->> 'weighted_value')::numeric)
			FROM pipelines p, jsonb_array_elements(pipeline_summary(p.id) -> 'stages') s}
		),
		ask($name, q{
			SELECT s.name, count(d.id), trim_scale(coalesce(sum(d.amount), 0)),
				trim_scale(coalesce(sum(d.amount * d.probability), 0))
			FROM stages s LEFT JOIN deals d ON d.stage_id = s.id
			GROUP BY s.id ORDER BY s.position}),
		"$name: the summary of each stage");
	is( ask($name, q{
			SELECT k, s ->> 'total_deals', trim_scale((s ->> 'total_value')::numeric),
				trim_scale((s ->> 'weighted_value')::numeric)
			FROM pipelines p, unnest('{open,won,lost,all}'::text[]) k,
				LATERAL (SELECT CASE k WHEN 'all' THEN pipeline_summary(p.id)
					ELSE pipeline_summary(p.id) -> k END AS s) x
			ORDER BY k}),
		ask($name, q{
			SELECT coalesce(status, 'all') AS k, count(*),
				trim_scale(coalesce(sum(amount), 0)),
				trim_scale(coalesce(sum(amount * probability), 0))
			FROM deals GROUP BY ROLLUP (status) ORDER BY k}),
		"$name: the summary of each status");
	return;
}

# Files with a mistake are refused with its place, the line of the file, and leave
# nothing.  One mistake is told once.
sub test_refusals
{
	my $good = slurp_file('examples/sample_pipeline.csv');
	my @cases = (
		[
			qr/Harbor Starter,/, '',
			19,                  'deals',
			'7 fields, and the header has 8'
		],
		[
			qr/,Lost,/, ',Gone,', 7,
			'OPP-0006    | deal_stage  | Gone',
			'unknown deal_stage "Gone"'
		],
		[ qr/,Lost,/, ',,', 7, 'OPP-0006', 'no deal_stage' ],
		[
			qr/OPP-0002/, 'OPP-0001', 3, 'OPP-0001',
			'the deal is in line 2 as well, and the lines differ'
		],
		[ qr/OPP-0001/, '', 2, 'deals', 'no external_id' ],
		[
			qr/2023-01-09/, '9.1.2023',
			3,              '9.1.2023',
			'is not a time in the format iso'
		],
		[
			qr/2023-01-09/, '2022-02-30',
			3,              '2022-02-30',
			'is not a time in the format iso'
		],
		[ qr/2023-01-09/, '', 3, 'OPP-0002', 'Won, but no engage_date' ],
		[
			qr/2023-01-09/, '2024-01-09',
			3,              'OPP-0002',
			'close_date before engage_date'
		],
		[
			qr/,Lost,/, ',Engaging,', 7, 'OPP-0006',
			'Engaging, but with a close_date'
		],
		[
			qr/,1040\n/, ",NaN\n", 2, 'NaN',
			'is not an amount in the format 1234.56'
		],
		[
			qr/,1040\n/, ",1040.12345\n",
			2,           '1040.12345',
			'has more than 4 decimals'
		],
		[ qr/"?OPP-0003/, '"OPP-0003', 4, 'deals', 'quotes that do not end' ]
	);

	new_crm('refusals');
	foreach my $case (@cases)
	{
		my ($from, $to, $line, $what, $message) = @$case;
		my $bad = $good;

		$bad =~ s/$from/$to/;
		isnt($bad, $good, "a file in which $from is '$to'");
		my ($status, $said, $complaint) =
		  import_csv('refusals', file_of($bad));
		isnt($status, 0, 'is refused');
		like(
			$said,
			qr/\| +$line \|.*\Q$message\E/s,
			"with its line: $message");
		like($said, qr/\Q$what\E/, 'and its value');
		is(ask('refusals', 'SELECT count(*) FROM crm_import.rejects'),
			1, 'once');
	}
	test_unreadable($good);
	is( ask('refusals',
			'SELECT (SELECT count(*) FROM pipelines) + (SELECT count(*) FROM stages) + (SELECT count(*) FROM deals)'
		),
		0,
		'and nothing of them is left');
	return;
}

# Files that no import can begin with.
sub test_unreadable
{
	my $good = shift;
	my ($status, $said, $complaint) =
	  import_csv('refusals', file_of($good =~ s/close_value/value/r));

	isnt($status, 0, 'a file without a column is refused');
	like($complaint, qr/file "deals" has no column "close_value"/,
		'by its name');
	like(
		$complaint,
		qr/Its columns are "opportunity_id", .*"value"/,
		'with those it has');
	($status, $said, $complaint) =
	  import_csv('refusals', file_of($good =~ s/\n.*/\n/sr));
	like(
		$complaint,
		qr/there are no deals to import/,
		'so is one without rows');
	($status, $said, $complaint) =
	  import_csv('refusals', file_of("$good\n\xFF"));
	like(
		$complaint,
		qr/invalid byte sequence.*\n.*COPY lines, line 203$/,
		'one in another encoding is, with the line');
	my $mapping = "$PostgreSQL::Test::Utils::tmp_check/mapping.csv";
	append_to_file($mapping, "kind,value,target\nstage,a,b\nstages,a,b\n");
	($status, $said, $complaint) =
	  import_csv('refusals', file_of($good), '-v', "mapping=$mapping");
	like(
		$complaint,
		qr/^psql:\S+ ERROR:  \Q$mapping\E, line 3: there is no kind "stages"$/,
		'a wrong mapping is told once, with its line');
	($status) = import_csv('refusals', file_of($good) . '.missing');
	isnt($status, 0, 'and one that is not there');
	local $ENV{PGOPTIONS} = '-c statement_timeout=15ms';
	($status, $said, $complaint) = import_csv('refusals', file_of($good));
	like($complaint, qr/canceling statement/, 'an import can be cancelled');
	return;
}

# What files are written with elsewhere changes nothing.
sub test_forms
{
	my $good = slurp_file('examples/sample_pipeline.csv');
	my @lines = map { [ fields($_) ] } split /\n/, $good;
	my $turned = join '', map {
		join(',', map { /,/ ? qq{"$_"} : $_ } reverse @$_) . "\n"
	} @lines;
	my %forms = (
		mark => "\xEF\xBB\xBF$good",
		crlf => "\xEF\xBB\xBF" . $good =~ s/\n/\r\n/gr,
		turned => $turned,
		blank => $good . "\n\n,,,,,,,\n");

	foreach my $form (sort keys %forms)
	{
		new_crm($form);
		my ($status, $said, $complaint) =
		  import_csv($form, file_of($forms{$form}));
		is($status, 0, "$form: the file is read") or diag $said, $complaint;
		is( ask($form,    moves()),
			ask('sample', moves()),
			"$form: as the plain one");
	}
	return;
}

# What is exported goes into an empty CRM, as JSON lines by the script for them and as
# CSV by COPY, and is the same there.
sub test_export
{
	my $tmp = $PostgreSQL::Test::Utils::tmp_check;

	new_crm('lines');
	append_to_file("$tmp/crm.jsonl",
		ask('sample', q{SELECT crm_export()}) . "\n");
	my $status = IPC::Run::run [
		'psql',                  '-X',
		'-q',                    '-d',
		$node->connstr('lines'), '-v',
		"lines=$tmp/crm.jsonl",  '-f',
		'examples/import/export.sql'
	  ],
	  '>', \my $said, '2>', \my $complaint;
	ok($status, 'JSON lines are imported') or diag $complaint;
	is(contents('lines'), contents('sample'), 'and are the same');

	new_crm('tables');
	foreach my $table (split /\n/,
		ask('sample', 'SELECT name FROM crm_export_tables() ORDER BY no'))
	{
		my $csv = ask('sample', "SELECT crm_export('crm', 'csv', '$table')");
		my ($header) = split /\n/, $csv;

		append_to_file("$tmp/$table.csv", "$csv\n");
		$node->safe_psql('tables', <<~SQL);
			SET crm.restoring = on;
			\\copy crm.$table ($header) FROM '$tmp/$table.csv' WITH (FORMAT csv, HEADER match)
			SQL
	}
	is(contents('tables'), contents('sample'), 'so are the CSV files');
	is(ask('tables', 'SELECT count(*) FROM crm_check_totals()'),
		0, 'with their totals');
	return;
}

# docs/imports.md: its SQL runs, and its policies are those there are.
sub test_documentation
{
	my $docs = slurp_file('docs/imports.md');
	my ($block) = $docs =~ /^```sql\n(.*?)^```/ms;

	new_crm('documentation');
	is( $node->safe_psql('documentation',
			"$block SELECT s.name, d.amount FROM deals d JOIN stages s ON s.id = d.stage_id"
		) =~ s/.*\n//sr,
		'Qualified|48000.0000',
		'the SQL of docs/imports.md runs');
	foreach my $policy (
		split /\n/,
		ask('documentation',
			q{SELECT format('| `%s` | `%s` | %s', name, array_to_string(choices, '`, `'), decides) FROM crm_import_policies()}
		))
	{
		ok(index($docs, $policy) >= 0, "it has $policy");
	}
	return;
}

sub moves
{
	return
	  q{SELECT d.external_id, d.title, d.amount, c.move_no, c.changed_at FROM deals d
		LEFT JOIN stage_changes c ON c.deal_id = d.id ORDER BY 1, 4};
}

sub file_of
{
	my $text = shift;
	my $file = "$PostgreSQL::Test::Utils::tmp_check/it's a \"file\".csv";

	unlink $file;
	append_to_file($file, $text);
	return $file;
}

sub contents
{
	my $database = shift;

	return ask($database,
		q{SELECT md5(string_agg(l, '' ORDER BY l)) FROM crm_export('crm') l});
}

sub new_crm
{
	my $database = shift;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql(
		$database, qq{
		CREATE SCHEMA extensions;
		CREATE EXTENSION crm SCHEMA extensions;
		SELECT extensions.crm_install();
		ALTER DATABASE $database SET search_path = crm, extensions});
	return;
}

sub import_csv
{
	my ($database, $file, @variables) = @_;
	my ($said, $complaint);
	my $status = IPC::Run::run [
		'psql', '-X',        '-q',       '-d', $node->connstr($database),
		'-v',   "csv=$file", @variables, '-f', 'examples/import/csv.sql'
	  ],
	  '>', \$said, '2>', \$complaint;

	return ($status ? 0 : 1, $said, $complaint);
}

sub ask
{
	my ($database, $query) = @_;

	return $node->safe_psql($database, $query);
}

# Compares the rows of a query with the lines that are expected, in any order.
sub compare
{
	my ($name, $what, $expected, $query) = @_;
	my @expected = sort @$expected;
	my @got = sort split /\n/, ask($name, $query);

	is(scalar @got, scalar @expected, "$name: $what: number");
	my ($first) = grep { ($got[$_] // '') ne $expected[$_] } 0 .. $#expected;
	ok(!defined $first, "$name: $what")
	  or diag 'got '
	  . ($got[$first] // 'nothing')
	  . ", expected $expected[$first]";
	return;
}

sub moves_of
{
	my @moves;

	foreach my $row (@_)
	{
		my ($id, $stage) = @$row{qw(opportunity_id deal_stage)};

		push @moves,
		  "$id|1|Prospecting|Engaging|$row->{engage_date} 00:00:00.000000"
		  if $row->{engage_date} ne '';
		push @moves,
		  "$id|2|Engaging|$stage|$row->{close_date} 00:00:00.000000"
		  if $row->{close_date} ne '';
	}
	return @moves;
}

sub deal_of
{
	my $row = shift;
	my $stage = $row->{deal_stage};
	my $value = $row->{close_value};

	$value =~ s/0+$// if $value =~ /\./;

	return join '|', $row->{opportunity_id}, $stage,
	  { Won => 'won', Lost => 'lost' }->{$stage} // 'open',
	  $value, @$row{qw(product close_date)},
	  't', $row->{account} eq '' ? '' : 't';
}

# The rows of a CSV file as hashes by the names in its first line.
sub read_csv
{
	my @lines = map { [ fields($_) ] } split /\r?\n/, slurp_file(shift);
	my @names = @{ shift @lines };

	return map {
		my %row;
		@row{@names} = @$_;
		\%row
	} @lines;
}

sub fields
{
	my @fields = shift =~ /(?:^|,)("(?:[^"]|"")*"|[^",]*)/g;

	s/^"(.*)"$/$1/ && s/""/"/g foreach @fields;
	return @fields;
}
