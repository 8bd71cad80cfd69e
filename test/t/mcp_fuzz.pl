
# Messages of MCP, broken in thousands of ways: mcp() answers each of them as
# JSON-RPC does, and fails only where the type json does.

use strict;
use warnings;

use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT crm_install()');

# CRM_FUZZ_SEED repeats a run.
my $seed = $ENV{CRM_FUZZ_SEED} // time;
srand $seed;
note "CRM_FUZZ_SEED=$seed";

my $meta =
  '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}';
my $id = '01900000-0000-7000-8000-000000000001';
my @seeds = (
	'{"jsonrpc":"2.0","id":1,"method":"ping"}',
	'{"jsonrpc":"2.0","id":"a","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}',
	'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"YQ=="}}',
	'{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{'
	  . $meta . '}}',
	'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deals_list","arguments":{"limit":5,"cursor":"AZAAAAAAcACAAAAAAAAAAQ==","status":"open","search":"x"},'
	  . $meta . '}}',
	'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tags_create","arguments":{"name":"hot","color":null}}}',
	qq({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deals_update","arguments":{"id":"$id","amount":12.5,"metadata":{"a":[1,2]},"expected_version":3}}}),
	qq({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deals_move","arguments":{"deal_id":"$id","stage_id":"$id","effective_at":"2025-01-01T00:00:00Z"}}}),
	qq({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"stages_reorder","arguments":{"pipeline_id":"$id","stage_ids":["$id"]}}}),
	'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pipelines_create_with_stages","arguments":{"name":"p","stages":["a",{"name":"b","probability":0.5}]}}}',
	qq({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deals_link_contact","arguments":{"deal_id":"$id","contact_id":"$id","is_primary":true}}}),
	'[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/initialized"}]'
);
my @tokens = (
	'null',                 'true',
	'0',                    '-1',
	'1e400',                '1.5',
	'99999999999999999999', '""',
	'"x"',                  '"\\u0000"',
	'"\\ud800"',            '"\\"',
	'[]',                   '{}',
	'[[[]]]',               '{"a":{"a":{}}}',
	'"2.0"',                '"id"',
	'"infinity"',           "\"$id\"",
	'"%"',                  "\"'; DROP TABLE x --\"");

sub pick { return $_[ rand @_ ] }

# A token in the place of a value, a member gone or twice, bytes changed.
sub mutate
{
	my ($text) = @_;
	my $value =
	  qr/"(?:[^"\\]|\\.)*"|-?[0-9][-+.0-9eE]*|true|false|null|\[\]|\{\}/;
	my @at;
	my $kind = int rand 6;

	push @at, [ $-[0], $+[0] - $-[0] ] while $text =~ /$value/g;
	my ($start, $length) = @{ pick(@at) // [ 0, 1 ] };
	if ($kind < 3)
	{
		substr($text, $start, $length, pick(@tokens));
	}
	elsif ($kind == 3)
	{
		substr($text, rand length $text, 1 + rand 3, '');
	}
	elsif ($kind == 4)
	{
		substr($text, rand length $text, 0, pick(split //, '{}[]",:\\ 0x'));
	}
	else
	{
		substr($text, $start, $length,
			substr($text, $start, $length) . ',' . pick(@tokens));
	}
	return $text;
}

my $count = $ENV{CRM_FUZZ_COUNT} // 4000;
my $script = q{
CREATE FUNCTION pg_temp.try(n int, message text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	reply jsonb;
	element jsonb;
	is_json boolean := true;
BEGIN
	BEGIN
		PERFORM message::json;
	EXCEPTION WHEN others THEN
		is_json := false;
	END;
	BEGIN
		reply := crm.mcp(message::json)::jsonb;
	EXCEPTION WHEN others THEN
		IF is_json THEN
			RAISE WARNING 'message %: % (%): %', n, SQLERRM, SQLSTATE, message;
		END IF;
		RETURN;
	END;
	IF reply IS NULL THEN
		RETURN;
	END IF;
	FOR element IN SELECT jsonb_array_elements(CASE jsonb_typeof(reply) WHEN 'array' THEN reply ELSE jsonb_build_array(reply) END) LOOP
		IF element ->> 'jsonrpc' IS DISTINCT FROM '2.0' OR NOT element ? 'id'
			OR (element ? 'result') = (element ? 'error')
			OR (element ? 'error' AND (jsonb_typeof(element #> '{error,code}') <> 'number'
				OR element #> '{error,code}' = '-32603' OR jsonb_typeof(element #> '{error,message}') <> 'string')) THEN
			RAISE WARNING 'message %: % for %', n, element, message;
		END IF;
	END LOOP;
END
$$;
};
foreach my $n (1 .. $count)
{
	my $message = pick(@seeds);

	$message = mutate($message) foreach 1 .. 1 + rand 4;
	$message =~ s/'/''/g;
	$script .= "SELECT pg_temp.try($n, '$message') WHERE true;\n";
}
my ($status, $out, $err) =
  $node->psql('postgres', $script . "SELECT 'done';\n");
is($status, 0, 'the server lives');
like($out, qr/done$/, "$count messages were tried");
is($err, '', 'each got a proper answer, or none');

# By crm-mcp, which answers itself where the server does not: here there is no CRM.
my @lines;
foreach my $n (1 .. $count)
{
	my $message = pick(@seeds);

	$message = mutate($message) foreach 1 .. 1 + rand 4;
	substr($message, rand length $message, 1, chr rand 256) if rand() < 0.3;
	$message =~ tr/\n/ /;
	push @lines, $message;
}
IPC::Run::run(
	[
		'crm-mcp',   '-h', $node->host, '-p',
		$node->port, '-n', 'nowhere',   'postgres'
	],
	'<',
	\join("\n", @lines),
	'>',
	\$out,
	'2>',
	\$err);
my @replies = split /\n/, $out;
cmp_ok(scalar @replies, '>', $count / 2, 'crm-mcp answers');
is_deeply(
	[
		grep {
			!defined eval { decode_json($_) }
		} @replies
	],
	[],
	'in JSON, whatever the message');

$node->stop;
done_testing();
