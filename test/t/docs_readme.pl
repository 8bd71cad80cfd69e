# The SQL of the README, block after block, as a reader would type it.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->start;

my $readme = slurp_file("$FindBin::Bin/../../README.md");
my @blocks = $readme =~ /^```sql\n(.*?)^```/msg;
cmp_ok(scalar @blocks, '>=', 10, 'the README has examples');

my ($stdout, $stderr);
is( $node->psql(
		'postgres',
		join("\n", map { "\\echo block $_\n$blocks[$_]" } 0 .. $#blocks),
		stdout => \$stdout,
		stderr => \$stderr,
		on_error_stop => 1),
	0,
	'they run, one after the other') or diag($stdout, $stderr);

is( $node->safe_psql(
		'postgres',
		q{SELECT title, status, move_no, region FROM crm.deals ORDER BY id}),
	"Twelve presses|lost|2|EMEA\nA spare part|won|1|EMEA\nSupport contract|open|2|EMEA",
	'and leave the deals they speak of');

done_testing();
