# The SQL of README.md and of docs/*.md, as a reader would type it: the blocks of a page
# in their order, each page in a database of its own, which is empty for the pages of
# %empty and what docs/quick-start.md leaves behind for the others.
#
# What stands in a comment right before a block is for this test alone:
#	<!-- first: SQL -->			runs before the block
#	<!-- not run: REASON -->	the block is left out

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my %empty =
  map { $_ => 1 } qw(README.md docs/quick-start.md docs/installing.md);
my @pages =
  grep { $_ ne 'docs/quick-start.md' } ('README.md', sort glob 'docs/*.md');

my $node = PostgreSQL::Test::Cluster->new('pages');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', 'wal_level = logical');
$node->start;

# The script of a page for psql, and the numbers of blocks that run and that do not.
sub script_of
{
	my ($page, $text) = @_;
	my $script =
	  $empty{$page} ? '' : "SET search_path = crm, extensions, public;\n";
	my ($run, $skipped) = (0, 0);

	while ($text =~
		/(?:^ *<!-- (first|not run): ([^>]*?) -->\n)? *```sql\n(.*?)^ *```$/msg
	  )
	{
		my ($mark, $words, $block) = ($1 // '', $2 // '', $3);

		if ($mark eq 'not run')
		{
			$skipped++;
			note("$page: not run, $words: " . substr($block, 0, 60));
			next;
		}
		$run++;
		$script .= "\\echo block $run\n";
		$script .= "$words\n" if $mark eq 'first';
		$script .= $block;
	}
	return ($script, $run, $skipped);
}

sub run_page
{
	my ($page, $database) = @_;
	my $text = slurp_file($page);
	my ($script, $run, $skipped) = script_of($page, $text);
	my ($stdout, $stderr);

	unlike(
		$text,
		qr/\n\n {4,}(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|GRANT|CALL|SET|WITH) /,
		"$page: its SQL stands in blocks that are marked as SQL");
	is( $run + $skipped,
		() = $text =~ /^ *```sql$/mg,
		"$page: all blocks are found");
	return if $run == 0;
	is( $node->psql(
			$database, $script,
			stdout => \$stdout,
			stderr => \$stderr,
			on_error_stop => 1),
		0,
		"$page: $run blocks run") or diag($stdout, "\n", $stderr);
}

$node->safe_psql('postgres', 'CREATE DATABASE quick_start');
run_page('docs/quick-start.md', 'quick_start');
is( $node->safe_psql(
		'quick_start',
		'SELECT title, status, move_no FROM crm.deals ORDER BY id'),
	"Twelve presses|open|1\nA spare part|won|1",
	'the quick start leaves the deals it speaks of');

foreach my $page (@pages)
{
	my $database = $page =~ s/\W/_/gr;
	my $template = $empty{$page} ? 'template1' : 'quick_start';

	$node->safe_psql('postgres',
		qq{CREATE DATABASE "$database" TEMPLATE $template});
	run_page($page, $database);
}

is( $node->safe_psql(
		'docs_tables_md',
		'SELECT title, status, move_no, region FROM crm.deals ORDER BY id'),
	"Twelve presses|lost|2|EMEA\nA spare part|won|1|EMEA\nSupport contract|open|2|EMEA",
	'the page on tables leaves the deals it speaks of');
is( $node->safe_psql(
		'docs_installing_md',
		q{SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'crm%'}),
	'0',
	'and nothing is left after uninstalling');

done_testing();
