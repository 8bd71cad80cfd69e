# docs/reference.md is what the COMMENTs say: after a change of one, make reference.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('reference');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT crm_install()');

my $written = slurp_file('docs/reference.md');
my ($result, $stdout, $stderr) =
  $node->psql('postgres', slurp_file('scripts/reference.sql'));

is($result, 0, 'the reference can be written') or diag($stderr);
cmp_ok(length $stdout, '>', 50_000, 'it is whole');

my @written = split /\n/, $written;
my @now = split /\n/,     $stdout;
my ($line) =
  grep { ($written[$_] // '') ne ($now[$_] // '') }
  0 .. ($#now > $#written ? $#now : $#written);

is($line, undef, 'and is as docs/reference.md has it')
  or diag(
	"line ", $line + 1,
	"\n- $written[$line]\n+ $now[$line]\n",
	'make reference writes it anew');

done_testing();
