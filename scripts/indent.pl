#!/usr/bin/perl
# Lays the sources out the way PostgreSQL's are: C with pg_bsd_indent (in the
# environment of PostgreSQL's pgindent), Perl with perltidy.
#
#	scripts/indent.pl [--check]
#
# --check changes nothing: it prints the differences, and fails if there are any.

use strict;
use warnings;
use File::Find;
use File::Temp qw(tempdir);
use FindBin;

my $check = @ARGV && $ARGV[0] eq '--check';
my $tmp = tempdir(CLEANUP => 1);
my $different = 0;

chdir "$FindBin::Bin/.." or die "chdir: $!";

# From PostgreSQL 16 on, pg_bsd_indent is among its programs.
my $programs = `"\$(scripts/pg_config.sh)" --bindir`;
chomp $programs;
$ENV{PATH} .= ":$programs";
my $typedefs = write_typedefs();

# The version for PostgreSQL 16 and later lays continued lines out in another way.
if (`pg_bsd_indent --version` =~ / 2\.1\.1 /)
{
	foreach my $file (sort glob 'src/*.[ch] src/*/*.[ch] crm-mcp/*.[ch]')
	{
		settle($file, indent_c(slurp($file)));
	}
}
else
{
	print "C is left as it is: its layout is that of pg_bsd_indent 2.1.1\n";
}
foreach my $file (sort glob 'scripts/*.pl test/t/*.pl test/perl/*.pm')
{
	settle($file, tidy_perl($file));
}
exit $different;

# Prints the difference (--check) or writes the new text of a file, if it differs.
sub settle
{
	my ($file, $text) = @_;

	return if slurp($file) eq $text;
	if ($check)
	{
		spew("$tmp/new", $text);
		print `diff -u --label $file --label $file.indented $file $tmp/new`;
		$different = 1;
		return;
	}
	spew($file, $text);
	print "$file\n";
	return;
}

sub indent_c
{
	my $text = shift;
	my $name = qr/[a-zA-Z_]\w*/;

	# Block comments that begin with dashes are not reformatted.
	$text =~ s!/\* +---!/*---X_X!g;
	spew("$tmp/source.c", $text);
	my $said = `cd $tmp && pg_bsd_indent -bad -bap -bbb -bc -bl -cli1 -cp33 \\
		-cdb -nce -d0 -di12 -nfc1 -i4 -l79 -lp -lpl -nip -npro -sac -tpg -ts4 \\
		-U$typedefs source.c 2>&1`;
	die "pg_bsd_indent: $said" if $? != 0 || $said ne '';
	$text = slurp("$tmp/source.c");
	$text =~ s!/\*---X_X!/* ---!g;

	# pg_bsd_indent breaks the line after the type of a prototype, too: there
	# the two lines are joined again.
	$text =~ s!
		(\n$name[^(\n]*)\n
		($name\(\n?(?:.*,(?:[ \t]*/\*.*\*/)?\n)*.*\);(?:[ \t]*/\*.*\*/)?)$
		!$1 . (substr($1, -1) eq '*' ? '' : ' ') . $2!gmxe;
	$text =~ s!^([A-Za-z_]\S*)[ \t]+\*$!$1 *!gm;
	return $text;
}

# Writes the names of types for pg_bsd_indent: the server's and ours.
sub write_typedefs
{
	my $pg_config = `scripts/pg_config.sh`;
	chomp $pg_config;
	my $include = `$pg_config --includedir-server`;
	chomp $include;
	my %types = map { $_ => 1 }
	  qw(bool int128 uint128 size_t ssize_t uuid_t va_list PGconn PGresult PGcancel);

	find(
		{
			no_chdir => 1,
			wanted => sub {
				return unless /\.[ch]$/;
				$types{$_} = 1 foreach declared_types(slurp($_));
			}
		},
		$include,
		'src',
		'crm-mcp');
	spew("$tmp/typedefs", map { "$_\n" } sort keys %types);
	return "$tmp/typedefs";
}

sub declared_types
{
	my $text = shift;

	$text =~ s!/\*.*?\*/!!gs;
	my @names = (
		$text =~ /\btypedef\s+(?:struct|union|enum)\s+(\w+)/g,
		$text =~ /\btypedef\b[^;{]*?\b(\w+)\s*(?:\[[^\]]*\])?;/g,
		$text =~ /\btypedef\b[^;{]*?\(\s*\*?\s*(\w+)\s*\)\s*\(/g,
		$text =~ /^\}\s*([A-Z]\w+)\s*;/gm,

		# What simplehash.h makes: a type for the table, one to go through it.
		map { ("${_}_hash", "${_}_iterator") }
		  $text =~ /^#define SH_PREFIX (\w+)/gm);

	# Of the names that are one lower-case word, only these: others are more often
	# variables.
	return
	  grep { /[A-Z_]/ || /^(text|bytea|bool|u?int\d+|float\d|regproc)$/ }
	  @names;
}

sub tidy_perl
{
	my $file = shift;

	system('perltidy', '--profile=scripts/perltidyrc',
		$file, '-o', "$tmp/tidy") == 0
	  or die "perltidy $file failed\n";
	return slurp("$tmp/tidy");
}

sub slurp
{
	my $file = shift;

	open my $handle, '<:raw', $file or die "$file: $!\n";
	local $/ = undef;
	return scalar <$handle>;
}

sub spew
{
	my ($file, @text) = @_;

	open my $handle, '>:raw', $file or die "$file: $!\n";
	print $handle @text;
	close $handle or die "$file: $!\n";
	return;
}
