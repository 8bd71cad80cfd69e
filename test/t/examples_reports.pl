# examples/summary.sql and reports.sql, over a pipeline of several currencies.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('reports');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->start;
$node->safe_psql(
	'postgres', q{
CREATE SCHEMA extensions;
CREATE EXTENSION crm SCHEMA extensions;
SELECT extensions.crm_install();
SET search_path = crm, extensions;
SELECT create_pipeline('Sales', currency => 'EUR', is_default => true,
	stages => '[{"name": "Lead", "probability": 0.3333}, "Demo", {"name": "Won", "deal_status": "won"}]');
INSERT INTO deals (title, amount, currency) VALUES
	('one', 1000.0001, 'EUR'), ('two', 500, 'EUR'), ('three', 70, 'USD'), ('four', NULL, NULL);
INSERT INTO deals (title, amount, status) VALUES ('five', 20, 'won');
UPDATE deals SET stage_id = (SELECT id FROM stages WHERE name = 'Demo') WHERE title = 'two';
});

# The lines that an example prints, without the bars and the white space between columns.
sub lines_of
{
	my ($example) = @_;
	my ($stdout, $stderr);

	is( $node->psql(
			'postgres', "\\i examples/$example.sql",
			stdout => \$stdout,
			stderr => \$stderr,
			extra_params => [ '-P', 'format=unaligned' ]),
		0,
		"$example runs") or diag($stderr);
	return map { s/ //gr =~ s/(?:\xe2\x96\x88)+$//r } split /\n/, $stdout;
}

my @lines = lines_of('summary');
is_deeply(
	\@lines,
	[
		'Lead|1|1,000.00|333.30|EUR|',
		'Lead|1|70.00|23.33|USD|',
		"Lead|1|0.00|0.00|\xe2\x80\x93|",
		'Demo|1|500.00|166.65|EUR|',
		'Won|1|20.00|20.00|EUR|',
		'allopen|2|1,500.00|499.95|EUR|',
		'allopen|1|70.00|23.33|USD|',
		"allopen|1|0.00|0.00|\xe2\x80\x93|",
		'all|3|1,520.00|519.95|EUR|',
		'all|1|70.00|23.33|USD|',
		"all|1|0.00|0.00|\xe2\x80\x93|"
	],
	'currencies have lines of their own');

@lines = lines_of('reports');
ok((grep { $_ eq 'Lead|4|1|25.0|0|0|4' } @lines),
	'the funnel counts all deals')
  or diag(join "\n", @lines);
ok((grep { /\|two\|Lead\|Demo\|500.00\|EUR$/ } @lines),
	'the last move is there')
  or diag(join "\n", @lines);
ok(!(grep { /\.\d{3}/ } @lines), 'no amount has more than two decimals');

done_testing();
