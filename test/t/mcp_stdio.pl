
# crm-mcp: MCP over standard input and output.

use strict;
use warnings;

use IPC::Run qw(start timeout);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->start;
$node->safe_psql(
	'postgres', q{
	CREATE SCHEMA extensions;
	CREATE EXTENSION crm SCHEMA extensions;
	SELECT extensions.crm_install();
	SELECT extensions.crm_install('Büro 1', 'shared');
	CREATE ROLE agent;
	GRANT USAGE ON SCHEMA crm, "Büro 1" TO agent;
	GRANT SELECT, INSERT ON crm.tags, "Büro 1".tags TO agent;
	GRANT EXECUTE ON FUNCTION crm.mcp(json), "Büro 1".mcp(json) TO agent;
	CREATE FUNCTION crm.slow() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(180)';
	COMMENT ON FUNCTION crm.slow() IS '@mcp';
	CREATE FUNCTION crm.lines() RETURNS json LANGUAGE sql STABLE
		AS $$ SELECT E'{"a":\n\r[1,\n"x\\\\ny"]}'::json $$;
	COMMENT ON FUNCTION crm.lines() IS '@mcp';
});

my ($in, $out, $err);

# Starts a crm-mcp; $in, $out and $err are then its ends.
sub run_mcp
{
	my @options = @_;

	($in, $out, $err) = ('', '', '');
	return start(
		[
			'crm-mcp',   '-h',     $node->host, '-p',
			$node->port, @options, 'postgres'
		],
		'<',
		\$in,
		'>',
		\$out,
		'2>',
		\$err,
		timeout($PostgreSQL::Test::Utils::timeout_default));
}

sub request
{
	my ($id, $method, $params) = @_;

	return encode_json(
		{
			jsonrpc => '2.0',
			id => $id,
			method => $method,
			($params ? (params => $params) : ())
		}) . "\n";
}

sub call
{
	my ($id, $tool, $arguments) = @_;

	return request($id, 'tools/call',
		{ name => $tool, arguments => $arguments // {} });
}

# Sends lines; returns the next reply.
sub ask
{
	my ($mcp, $lines) = @_;

	$out = '';
	$in .= $lines;
	$mcp->pump until $out =~ /\n/;
	return decode_json($out);
}

# Everything that a crm-mcp says to what it is told.
sub converse
{
	my ($lines, @options) = @_;
	my $mcp = run_mcp(@options);

	$in = $lines;
	$mcp->finish;
	return ($out, $mcp->result(0));
}

# Waits until the tool slow() runs, and says by which backend.
sub slow_backend
{
	my $query = q{SELECT pid FROM pg_stat_activity
		WHERE state = 'active' AND query LIKE 'SELECT "crm".mcp(%'};

	$node->poll_query_until('postgres', "SELECT EXISTS ($query)")
	  or die 'slow() does not run';
	return $node->safe_psql('postgres', $query);
}

# Lines in, lines out.
my ($said, $status) =
  converse(request(1, 'ping')
	  . "\n \r\n"
	  . qq({"jsonrpc":"2.0","method":"notifications/initialized"}\n)
	  . "nonsense\n"
	  . qq({"jsonrpc":"2.0","id":"\xff","method":"ping"}\n)
	  . qq({"jsonrpc":"2.0", "params" : {"id":"no"}, "id" : "d", "method":"ping", "x":)
	  . '[' x 100000
	  . ']' x 100000 . "}\n"
	  . call('c', 'lines')
	  . qq({"jsonrpc":"2.0","id":"last","method":"ping"}));
my @replies = split /\n/, $said;
is($status,         0, 'ends with its input');
is(scalar @replies, 6, 'a line for each message that wants a reply');
is($replies[0],     '{"jsonrpc":"2.0","id":1,"result":{}}', 'ping');
my $reply = decode_json($replies[1]);
is($reply->{error}{code}, -32700, 'no JSON: a parse error');
is($reply->{id},          undef,  'of no request');
is(decode_json($replies[2])->{error}{code}, -32700,
	'no UTF-8: a parse error');
$reply = decode_json($replies[3]);
is($reply->{error}{code}, -32600, 'nested too deeply: invalid');
is($reply->{id},          'd',    'of that request');
is_deeply(
	decode_json($replies[4])->{result}{structuredContent},
	{ a => [ 1, "x\ny" ] },
	'line ends between tokens are taken out');
is(decode_json($replies[5])->{id}, 'last', 'a last line without its end');

# Who it acts as.
($said) = converse(
	call(1, 'tags_create', { name => 'by agent' })
	  . call(2, 'pipelines_list'),
	'--role=agent');
like($said, qr/"name":"by agent"/, '--role: with the role\'s rights');
like($said, qr/Unknown tool: pipelines_list/, 'and no others');
($said) = converse(
	call(1, 'tags_create', { name => 'of tenant' }),
	'--schema=Büro 1',
	'-R',
	'agent',
	'--claims',
	'{"tenant_id":"11111111-1111-4111-8111-111111111111"}');
like($said, qr/"name":"of tenant"/, '--schema and --claims');
is( $node->safe_psql('postgres', 'SELECT tenant_id FROM "Büro 1".tags'),
	'11111111-1111-4111-8111-111111111111',
	'for the tenant of the claims');
($said) = converse(call(1, 'tags_list'), '--schema=Büro 1', '--role=agent');
like($said, qr/"code":"42501"/, 'without claims: no tenant');
($said) = converse(request(7, 'ping'), '--schema=nowhere');
$reply = decode_json($said);
is_deeply(
	[ $reply->{id}, $reply->{error}{code}, $reply->{error}{data}{code} ],
	[ 7,            -32603,                '3F000' ],
	'a schema without a CRM: an error');
($said) = converse(request(7, 'ping'), '--role=nobody');
like(
	$said,
	qr/role \\"nobody\\" does not exist/,
	'a role that there is not: an error');

# Ids that are no JSON, or no ids: each answer is JSON, and of no request.
my @damaged = (
	'nonsense',     '12x',     '01',        '-',
	'1.5',          '{"a":1}', '[1]',       'true',
	'"a\\qb"',      '"\\u12"', '"\\ud800"', "\"\xff\"",
	"\"\xe2\x82\"", "\"\t\"");
my @proper = (
	'1', '-5', '0', '"a"', '"\\"\\u20ac\\ud83d\\ude00"', "\"\xe2\x82\xac\"",
	'""');
($said) = converse(
	join('',
		map { qq({"jsonrpc":"2.0","id":$_,"method":"ping"}\n) }
		  (@damaged, @proper)),
	'--schema=nowhere');
@replies = split /\n/, $said;
is(scalar @replies, @damaged + @proper, 'an answer for each of them');
is( scalar(
		grep {
			!defined eval { decode_json($_) }
		} @replies),
	0,
	'each is JSON');
is( scalar(grep { $_ =~ /^\{"jsonrpc":"2.0","id":null,/ } @replies),
	scalar @damaged,
	'what is no id is not repeated');
is_deeply([ map { /"id":(.*?),"error"/ } @replies[ @damaged .. $#replies ] ],
	\@proper, 'a string or an integer is, as it was written');
($said) =
  converse(request(1, 'ping')
	  . qq({"id":2}\0{"jsonrpc":"2.0"}\n)
	  . request(3, 'ping'));
@replies = map { decode_json($_) } split /\n/, $said;
is_deeply(
	[ map { $_->{id} // $_->{error}{code} } @replies ],
	[ 1, -32700, 3 ],
	'a zero byte: a parse error, and the next message is answered');

# A message that is too large is refused, and not the end.
my $large = PostgreSQL::Test::Utils::tempdir() . '/large';
open my $file, '>', $large or die $!;
print $file request(1, 'ping'), '{"jsonrpc":"2.0","id":"large","params":"';
print $file 'x' x (1 << 20) foreach 1 .. 257;
print $file "\"}\n", request(2, 'ping');
close $file;
($in, $out, $err) = ('', '', '');
IPC::Run::run([ 'crm-mcp', '-h', $node->host, '-p', $node->port, 'postgres' ],
	'<', $large, '>', \$out, '2>', \$err);
unlink $large;
@replies = map { decode_json($_) } split /\n/, $out;
is_deeply(
	[ map { [ $_->{id}, $_->{error}{code} ] } @replies ],
	[ [ 1, undef ], [ 'large', -32600 ], [ 2, undef ] ],
	'a message of more than 256 MB is refused, and the next one answered');

# A lost connection is made again.
my $mcp = run_mcp();
ok(ask($mcp, request(1, 'ping'))->{result}, 'connected');
is( $node->safe_psql(
		'postgres', q{SELECT pg_terminate_backend(pid, 60000)
			FROM pg_stat_activity WHERE query LIKE 'SELECT "crm".mcp(%'}),
	't',
	'the connection is closed');
ok( ask($mcp, request(2, 'ping'))->{result},
	'connected again after the connection was closed');
$node->stop('immediate');
$reply = ask($mcp, request(3, 'ping'));
is($reply->{error}{code}, -32603, 'without a server: an error');
$node->start;
ok( ask($mcp, request(4, 'ping'))->{result},
	'connected again when the server is back');
$out = '';
$in .= call(5, 'slow');
$mcp->pump_nb while length $in;
$node->safe_psql('postgres',
	'SELECT pg_terminate_backend(' . slow_backend() . ')');
$mcp->pump until $out =~ /\n/;
$reply = decode_json($out);
is($reply->{id}, 5, 'a connection lost during a request: an error');
like(
	$reply->{error}{message},
	qr/whether the request was carried out is not known/,
	'that says so');
ok(ask($mcp, request(6, 'ping'))->{result},
	'and the next one connects again');

# The server was started meanwhile, and has inherited the end of its input.
$mcp->signal('TERM');
$mcp->finish;

# Cancelling.
$mcp = run_mcp();
$in .= call('c1', 'slow');
$mcp->pump_nb while length $in;
slow_backend();
$in .=
  qq({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"other"}}\n);
$in .=
  qq({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"c1"}}\n);
$in .= request(8, 'ping');
$mcp->pump until $out =~ /\n/;
is( $out,
	qq({"jsonrpc":"2.0","id":8,"result":{}}\n),
	'a cancelled request gets no reply');
$mcp->finish;

# Of messages that wait in line: those that are cancelled before their turn come to
# nothing; a cancellation that came before its message does not count.
$mcp = run_mcp();
$out = '';
my $cancel =
  qq({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}\n);
$in .= sprintf($cancel, '"early"') . call('c1', 'slow');
$mcp->pump_nb while length $in;
slow_backend();
$in .=
  request('early', 'ping') . request('q1', 'ping') . request('q2', 'ping');
$in .= sprintf($cancel, '"q1"') . sprintf($cancel, '"c1"');
$in .= request(9, 'ping');
$mcp->pump until $out =~ /"id":9/;
is_deeply(
	[ map { decode_json($_)->{id} } split /\n/, $out ],
	[ 'early', 'q2', 9 ],
	'cancelled before their turn');

# A long queue takes no longer a line than a short one: before, each line that was
# taken moved all that followed, and each was searched again for every message.
$out = '';
$in .= call('c2', 'slow');
$mcp->pump_nb while length $in;
slow_backend();
$in .= " \n" x 3_000_000 . sprintf($cancel, '"none"') x 20_000;
$in .= sprintf($cancel, '"c2"') . request(10, 'ping');
$mcp->pump until $out =~ /\n/;
is( $out,
	qq({"jsonrpc":"2.0","id":10,"result":{}}\n),
	'a queue of three million lines');
$mcp->finish;

# A signal ends it, and what it had the server do.
$mcp = run_mcp();
$in = call(1, 'slow');
$mcp->pump_nb while length $in;
my $backend = slow_backend();
$mcp->signal('TERM');
$mcp->finish;
is($mcp->result(0), 128 + 15, 'SIGTERM: the exit status');
ok( $node->poll_query_until(
		'postgres',
		"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $backend)"
	),
	'nothing is left running');

# Options.
command_like([ 'crm-mcp', '--help' ],    qr/Usage:/,            '--help');
command_like([ 'crm-mcp', '--version' ], qr/^crm-mcp [0-9.]+$/, '--version');
command_fails_like(
	[ 'crm-mcp', '--nonsense' ],
	qr/Try "crm-mcp --help"/,
	'an unknown option');
command_fails_like(
	[ 'crm-mcp', 'a', 'b' ],
	qr/too many arguments/,
	'too many arguments');

$node->stop;
done_testing();
