
# SQLsmith makes queries of all that a CRM has, at random: the server lives, and no
# error is an internal one of ours.
#
# CRM_SQLSMITH_SECONDS: how long; it is of Debian's package sqlsmith.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{CRM_SQLSMITH_SECONDS} // 0;

plan skip_all => 'CRM_SQLSMITH_SECONDS is not set' unless $seconds;
plan skip_all => 'there is no sqlsmith here'
  if system('command -v sqlsmith >/dev/null') != 0;

my $node = new_node('sqlsmith');
my @crms =
  ([ 'crm', 'single', undef ], [ 'team', 'shared', $CrmTest::tenants[0] ]);
my $dir = PostgreSQL::Test::Utils::tempdir();

$node->append_conf('postgresql.conf', <<~'END');
	restart_after_crash = off
	statement_timeout = 3s
	log_statement = none
	log_error_verbosity = verbose
	END
$node->restart;
create_database($node, 'origin');

# In schemas and columns that it knows how to name.
foreach my $crm (@crms)
{
	install($node, 'origin', @$crm[ 0, 1 ]);
	fill($node, 'origin', @$crm[ 0, 2 ]);
}
$node->safe_psql('origin',
	'ALTER DATABASE origin SET search_path = crm, extensions');

# As the owner of the CRMs.
my ($out, $err) = ('', '');
my $smith = IPC::Run::start(
	[
		'sqlsmith',
		'--exclude-catalog',
		'--seed=' . ($ENV{CRM_FUZZ_SEED} // time),
		'--target=host='
		  . $node->host
		  . ' port='
		  . $node->port
		  . ' dbname=origin user=crm_owner'
	],
	'>',
	\$out,
	'2>',
	"$dir/said");
my $end = time + $seconds;
my $lives = 1;
while ($lives && time < $end)
{
	sleep 1;
	$smith->pump_nb;
	$lives = $node->psql('postgres', 'SELECT 1') == 0;
}
$smith->signal('TERM');
eval { $smith->finish };
ok($lives, "the server lives after $seconds seconds");

my $log = slurp_file($node->logfile);
my %states;
my @wrong;
my $statement;
foreach my $line (split /\n/, $log)
{
	next unless $line =~ /ERROR:  (\w{5}): (.*)/;
	my ($state, $message) = ($1, $2);

	$states{$state}++;

	# What PostgreSQL itself says of queries that nobody writes.
	push @wrong, "$state $message"
	  if $state   =~ /^XX/
	  && $message =~ /crm|summary|deal|stage|damaged|row type/i;
}
note join ', ', map { "$_ $states{$_}" } sort keys %states;
is(join("\n", @wrong), '', 'and no error is an internal one');
is( join("\n",
		grep { /terminated by signal|PANIC:|TRAP:|runtime error:/ }
		  split /\n/,
		$log),
	'',
	'nor has a check failed');
foreach my $crm (@crms)
{
	is( $node->safe_psql(
			'origin',
			"SELECT * FROM extensions.crm_check_totals('$crm->[0]')"),
		'',
		"$crm->[0]: the totals are exact");
}

done_testing();
