# examples/import_csv.sql on the sample and, where it is at hand, on real data
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
$node->stop;
done_testing();

# Imports a file into a database of its own and compares.
sub test_file
{
	my ($name, $file, %expected) = @_;
	my @rows = read_csv($file);

	new_crm($name);
	my $start = time;
	my ($status, $said, $complaint) = import_csv($name, $file);
	is($status, 0, "$name: the import succeeds") or diag $complaint;
	cmp_ok(time - $start, '<', 60, "$name: in seconds, not minutes");

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
			d.owner_id = crm_external_uuid('sales_agent', d.metadata ->> 'sales_agent'),
			d.organization_id = crm_external_uuid('account', d.metadata ->> 'account')
		FROM deals d JOIN stages s ON s.id = d.stage_id});
	is( ask($name,
			'SELECT count(*) FROM stage_changes WHERE changed_at < entered_at'
		),
		0,
		"$name: nothing runs backwards");
	test_summary($name);

	# The same file again: refused as a whole.
	my $before = ask($name, 'SELECT count(*) FROM deals');
	($status, $said, $complaint) = import_csv($name, $file);
	isnt($status, 0, "$name: a second import is refused");
	is(ask($name, 'SELECT count(*) FROM deals'),
		$before, "$name: and leaves nothing");
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

# Files with a mistake are refused with its place, and leave nothing.
sub test_refusals
{
	my $good = slurp_file('examples/sample_pipeline.csv');
	my @cases = (
		[ qr/Harbor Starter,/, '',      qr/missing data for column/ ],
		[ qr/close_value/,     'value', qr/column name mismatch/ ],
		[ qr/,Lost,/,   ',Gone,',   qr/row 6: unknown deal_stage "Gone"/ ],
		[ qr/,Lost,/,   ',,',       qr/row 6: no deal_stage/ ],
		[ qr/OPP-0002/, 'OPP-0001', qr/"OPP-0001" is there 2 times/ ],
		[ qr/OPP-0001/, '',         qr/row 1: no opportunity_id/ ],
		[
			qr/2023-01-09/, '9.1.2023',
			qr/engage_date "9.1.2023" is not a date/
		],
		[ qr/2023-01-09/, '2022-02-30', qr/"2022-02-30"/ ],
		[ qr/2023-01-09/, '',           qr/Won, but no engage_date/ ],
		[ qr/2023-01-09/, '2024-01-09', qr/close_date before engage_date/ ],
		[ qr/,Lost,/,     ',Engaging,', qr/Engaging, but with a close_date/ ],
		[ qr/,0\n/,       ",NaN\n", qr/close_value "NaN" is not an amount/ ],
		[ qr/\n.*/s,      "\n",     qr/the file has no rows/ ]);

	new_crm('refusals');
	my $file = "$PostgreSQL::Test::Utils::tmp_check/bad.csv";
	foreach my $case (@cases)
	{
		my ($from, $to, $message) = @$case;
		my $bad = $good;

		$bad =~ s/$from/$to/;
		isnt($bad, $good, "a file in which $from is '$to'");
		unlink $file;
		append_to_file($file, $bad);
		my ($status, $said, $complaint) = import_csv('refusals', $file);
		isnt($status, 0, 'is refused');
		like($complaint, $message, 'with its reason');
	}
	my ($status) = import_csv('refusals', "$file.missing");
	isnt($status, 0, 'so is a file that is not there');
	is( ask('refusals',
			'SELECT (SELECT count(*) FROM pipelines) + (SELECT count(*) FROM deals)'
		),
		0,
		'and nothing of them is left');
	return;
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
	my ($database, $file) = @_;
	my ($said,     $complaint);
	my $status = IPC::Run::run [
		'psql',                    '-X', '-q',        '-d',
		$node->connstr($database), '-v', "csv=$file", '-f',
		'examples/import_csv.sql'
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
