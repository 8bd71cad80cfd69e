# The scripts of examples/import on files in the layout of each vendor, of test/import,
# with what real files have: a byte order mark, CRLF, newlines in quotes, columns in
# another order, a history that is newest first, ties, lines that cannot be used.  What
# is loaded, and what is rejected, is the truth beside the files, row by row.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = 'test/import';
my $node = PostgreSQL::Test::Cluster->new('main');

$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', "timezone = 'Asia/Tokyo'");
$node->start;
$node->safe_psql('postgres',
	'CREATE SCHEMA extensions; CREATE EXTENSION crm SCHEMA extensions');

my %vendors = (
	pipedrive => {
		files => [qw(deals flow)],
		variables => { amount_format => '1.234,56' }
	},
	hubspot =>
	  { files => ['deals'], variables => { amount_format => '1,234.56' } },
	salesforce => { files => [qw(deals history field_history)] },
	close => { files => [qw(deals changes)] },
	odoo => {
		files => [qw(deals tracking)],
		variables => { amount_format => '1 234,56' }
	},
	twenty => { files => [qw(deals activities)] });

test_vendor($_) foreach sort keys %vendors;

# A format that is given counts, also where the script has its own.
$vendors{close}{variables} = { amount_format => '1234.56' };
import_files('close', '{"rejects": "skip"}');
is( ask("SELECT trim_scale(amount) FROM close.deals WHERE external_id = 'oppo_2'"
	),
	5,
	'close: amounts that are not cents');
$node->stop;
done_testing();

sub test_vendor
{
	my $vendor = shift;

	$node->safe_psql('postgres', "SELECT extensions.crm_install('$vendor')");
	my ($status, $complaint) =
	  import_files($vendor, '{"unknown_stages": "create"}');
	isnt($status, 0,
		"$vendor: a file with lines that cannot be used stops the import");
	like($complaint, qr/nothing was imported/, "$vendor: it says so");
	is( ask("SELECT (SELECT count(*) FROM $vendor.deals) + (SELECT count(*) FROM $vendor.stages) + (SELECT count(*) FROM $vendor.pipelines)"
		),
		0,
		"$vendor: and leaves nothing");
	compare($vendor, 'rejects',
		"SELECT file, line, external_id, column_name, value FROM import_$vendor.rejects"
	);

	($status, $complaint) =
	  import_files($vendor,
		'{"unknown_stages": "create", "rejects": "skip"}');
	is($status, 0, "$vendor: without them it goes through")
	  or diag $complaint;
	compare_all($vendor);
	my $before = contents($vendor);

	($status, $complaint) =
	  import_files($vendor,
		'{"unknown_stages": "create", "rejects": "skip"}');
	is($status,           0,       "$vendor: again") or diag $complaint;
	is(contents($vendor), $before, "$vendor: nothing changes");
	is( ask("SELECT number = (SELECT count(*) FROM $vendor.deals) FROM import_$vendor.report WHERE what = 'deals: unchanged'"
		),
		't',
		"$vendor: as all deals are unchanged");
	return;
}

sub compare_all
{
	my $vendor = shift;

	compare(
		$vendor, 'moves', "
		SELECT d.external_id, c.move_no, f.name, t.name, @{[ time_of('c.changed_at') ]}, c.changed_by
		FROM $vendor.stage_changes c JOIN $vendor.deals d ON d.id = c.deal_id
		JOIN $vendor.stages f ON f.id = c.from_stage_id
		JOIN $vendor.stages t ON t.id = c.to_stage_id");
	compare(
		$vendor, 'deals', "
		SELECT d.external_id, replace(d.title, E'\\n', '\\n'), s.name, d.status, trim_scale(d.amount), d.currency,
			@{[ time_of('d.created_at') ]}, @{[ time_of('coalesce(d.won_at, d.lost_at)') ]}
		FROM $vendor.deals d JOIN $vendor.stages s ON s.id = d.stage_id");
	compare(
		$vendor, 'values', "
		SELECT d.external_id, c.change, @{[ time_of('c.changed_at') ]}, trim_scale(c.old_amount), trim_scale(c.new_amount)
		FROM $vendor.deal_changes c JOIN $vendor.deals d ON d.id = c.deal_id"
	) if -f "$folder/$vendor/values.truth";
	compare(
		$vendor, 'tags', "
		SELECT d.external_id, t.name FROM $vendor.deal_tags x
		JOIN $vendor.tags t ON t.id = x.tag_id JOIN $vendor.deals d ON d.id = x.deal_id"
	) if -f "$folder/$vendor/tags.truth";
	compare(
		$vendor, 'contacts', "
		SELECT d.external_id, x.metadata ->> 'name' FROM $vendor.deal_contacts x
		JOIN $vendor.deals d ON d.id = x.deal_id"
	) if -f "$folder/$vendor/contacts.truth";
	is(ask("SELECT count(*) FROM extensions.crm_check_totals('$vendor')"),
		0, "$vendor: the totals are right");
	is( ask("
			SELECT count(*) FROM $vendor.pipelines p
			WHERE (SELECT jsonb_agg(x - 'position' ORDER BY x ->> 'stage_id') FROM jsonb_array_elements($vendor.pipeline_summary(p.id) -> 'stages') x)
				IS DISTINCT FROM (SELECT jsonb_agg(x - 'position' ORDER BY x ->> 'stage_id') FROM jsonb_array_elements(
					$vendor.pipeline_summary_as_of(p.id, now()) -> 'stages') x)"),
		0,
		"$vendor: the history says what the deals say");
	is( ask("SELECT count(*) FROM $vendor.stage_changes WHERE changed_at < entered_at"
		),
		0,
		"$vendor: nothing runs backwards");
	return;
}

sub time_of
{
	my $what = shift;

	return
	  "regexp_replace(to_char($what AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), '\\.?0{6}\$', '')";
}

sub import_files
{
	my ($vendor, $policies) = @_;
	my %of = %{ $vendors{$vendor} };
	my @variables =
	  map { ('-v', "$_=$folder/$vendor/$_.csv") } @{ $of{files} };
	my ($said, $complaint);

	push @variables, '-v', "$_=$of{variables}{$_}"
	  foreach keys %{ $of{variables} };
	local $ENV{PGOPTIONS} =
	  '-c crm.actor=importer -c client_min_messages=warning';
	my $status = IPC::Run::run [
		'psql',                     '-X',
		'-q',                       '-d',
		$node->connstr('postgres'), @variables,
		'-v',                       "crm=$vendor",
		'-v',                       "import=import_$vendor",
		'-v',                       "policies=$policies",
		'-f',                       "examples/import/$vendor.sql"
	  ],
	  '>', \$said, '2>', \$complaint;

	return ($status ? 0 : 1, $complaint);
}

sub ask
{
	return $node->safe_psql('postgres', shift);
}

sub contents
{
	my $vendor = shift;

	return ask(
		"SELECT md5(string_agg(l, '' ORDER BY l)) FROM extensions.crm_export('$vendor') l"
	);
}

# The rows of a query are the lines of the file VENDOR/WHAT.truth, in any order.
sub compare
{
	my ($vendor, $what, $query) = @_;
	my $truth = slurp_file("$folder/$vendor/$what.truth");

	is( join("\n", sort split /\n/, ask($query)),
		join("\n", sort split /\n/, $truth),
		"$vendor: $what");
	return;
}
