
# Reads pg_node_tree, PostgreSQL's form of analyzed SQL, as far as it takes to
# tell which functions, operators and types an expression uses.

package NodeTree;

use strict;
use warnings;

# Where each kind of expression has its type.
my %type_field = (
	CONST => 'consttype',
	VAR => 'vartype',
	PARAM => 'paramtype',
	FUNCEXPR => 'funcresulttype',
	OPEXPR => 'opresulttype',
	DISTINCTEXPR => 'opresulttype',
	NULLIFEXPR => 'opresulttype',
	AGGREF => 'aggtype',
	WINDOWFUNC => 'wintype',
	RELABELTYPE => 'resulttype',
	COERCEVIAIO => 'resulttype',
	ARRAYCOERCEEXPR => 'resulttype',
	FIELDSELECT => 'resulttype',
	COERCETODOMAIN => 'resulttype',
	CASE => 'casetype',
	CASEEXPR => 'casetype',
	COALESCE => 'coalescetype',
	COALESCEEXPR => 'coalescetype',
	MINMAX => 'minmaxtype',
	MINMAXEXPR => 'minmaxtype',
	ARRAY => 'array_typeid',
	ARRAYEXPR => 'array_typeid',
	ROW => 'row_typeid',
	ROWEXPR => 'row_typeid',
	SQLVALUEFUNCTION => 'type',
	SUBSCRIPTINGREF => 'refrestype');

my $bool = 16;

# The nodes of a text, as hashes from a field to the list of its values.
sub parse
{
	my ($text) = @_;
	my @top;
	my @open = ({ list => \@top });

	while ($text =~ /\G\s*([{}()]|\[[^\]]*\]|(?:\\.|[^\s{}()])+)/gcs)
	{
		my $token = $1;
		my $inner = $open[-1];

		if ($token eq '{')
		{
			my $node = { kind => undef };
			push @{ $inner->{list} }, $node;
			push @open, { node => $node, list => [] };
		}
		elsif ($token eq '(')
		{
			my $list = [];
			push @{ $inner->{list} }, $list;
			push @open, { list => $list };
		}
		elsif ($token eq '}' || $token eq ')') { pop @open; }
		elsif ($inner->{node} && !defined $inner->{node}{kind})
		{
			$inner->{node}{kind} = $token;
		}
		elsif ($inner->{node} && $token =~ /^:(\w+)$/)
		{
			$inner->{list} = $inner->{node}{$1} = [];
		}
		else { push @{ $inner->{list} }, $token; }
	}
	return @top;
}

# Calls visit for every node.
sub walk
{
	my ($what, $visit) = @_;

	if    (ref $what eq 'ARRAY') { walk($_, $visit) for @$what; }
	elsif (ref $what eq 'HASH')
	{
		$visit->($what);
		walk($what->{$_}, $visit) for grep { ref $what->{$_} } keys %$what;
	}
	return;
}

# The OID of an expression's type; undef where that is not to be seen.
sub type
{
	my ($node) = @_;
	my $field = $type_field{ $node->{kind} };

	return $node->{$field}[0] if $field;
	return type($node->{arg}[0]) if $node->{kind} eq 'NAMEDARGEXPR';
	return type($node->{expr}[0]) if $node->{kind} eq 'TARGETENTRY';
	return $bool
	  if $node->{kind} =~
	  /^(BOOLEXPR|NULLTEST|BOOLEANTEST|SCALARARRAYOPEXPR)$/;
	return unless $node->{kind} eq 'SUBLINK';

	# EXISTS, ALL, ANY; or the value of a query
	return $bool if $node->{subLinkType}[0] <= 2;
	return unless $node->{subLinkType}[0] == 4;
	return type($node->{subselect}[0]{targetList}[0][0]);
}

# The expression as it was written, without the coercions that were added.
sub as_written
{
	my ($node) = @_;

	for my $field (qw(relabelformat funcformat coerceformat))
	{
		next unless exists $node->{$field} && $node->{$field}[0] eq '2';
		my ($inner) = $node->{arg} ? $node->{arg}[0] : $node->{args}[0][0];
		return as_written($inner);
	}
	return $node;
}

# All that is looked up by name and types: kind, OID, the type of the result, and the
# types of the arguments, both after and before coercion.
sub names
{
	my ($text) = @_;
	my @names;
	my $add = sub {
		my ($kind, $oid, $result, $args) = @_;
		for my $types ([ map { type($_) } @$args ],
			[ map { type(as_written($_)) } @$args ])
		{
			die "$kind $oid has an argument of unknown type: " . join ' ',
			  map { as_written($_)->{kind} } @$args
			  if grep { !defined } @$types;
			push @names, [ $kind, $oid, $result, @$types ];
		}
	};

	walk(
		[ parse($text) ],
		sub {
			my ($node) = @_;
			my $args = ref $node->{args}
			  && ref $node->{args}[0] eq 'ARRAY' ? $node->{args}[0] : [];

			if ($node->{kind} eq 'FUNCEXPR')
			{
				$add->('function', $node->{funcid}[0], type($node), $args);
			}
			elsif ($node->{kind} eq 'AGGREF')
			{
				$add->('function', $node->{aggfnoid}[0], type($node), $args);
			}
			elsif ($node->{kind} eq 'WINDOWFUNC')
			{
				$add->('function', $node->{winfnoid}[0], type($node), $args);
			}
			elsif (exists $node->{opno} && @$args)
			{
				$add->('operator', $node->{opno}[0], type($node), $args);
			}
			push @names, [ 'type', type($node), type($node) ]
			  if $type_field{ $node->{kind} };
		});
	return @names;
}

1;
