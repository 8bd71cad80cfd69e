#!/usr/bin/perl
# Prints src/base/case_folding.h: full case folding of Unicode 14, as Perl knows it
# (what Unicode's CaseFolding.txt lists as C and F).  Foldings of assigned characters
# never change; a later version only adds characters.  An index on crm_name_key()
# must not see other foldings than those it was built with, so the table stays as it is.
use strict;
use warnings;
use feature      qw(fc unicode_strings);
use Unicode::UCD ();

my $version = '14.0.0';
die "$0: Perl's Unicode is "
  . Unicode::UCD::UnicodeVersion()
  . ", not $version\n"
  if Unicode::UCD::UnicodeVersion() ne $version;

my (@ranges, @strings);
for my $code (0x80 .. 0x1FFFF)
{
	next if $code >= 0xD800 && $code <= 0xDFFF;
	my @folded = map { ord } split //, fc chr $code;
	next if @folded == 1 && $folded[0] == $code;
	if (@folded > 1)
	{
		push @strings, [ $code, @folded, (0) x (3 - @folded) ];
		next;
	}
	my $delta = $folded[0] - $code;
	my $last = $ranges[-1];
	my $step = $last ? $code - $last->[1] : 0;

	# A range has a step of 1, or of 2, where upper and lower case alternate.
	if (   $last
		&& $last->[3] == $delta
		&& ($step == 1 || $step == 2)
		&& ($last->[0] == $last->[1] || $last->[2] == $step))
	{
		@$last[ 1, 2 ] = ($code, $step);
	}
	else
	{
		push @ranges, [ $code, $code, 1, $delta ];
	}
}

sub table
{
	my ($format, @rows) = @_;
	return join ",\n", map { sprintf "\t$format", @$_ } @rows;
}

print <<"END";
/*
 * base/case_folding.h
 *		Full case folding of the characters above ASCII, Unicode $version.
 *
 * Made by scripts/case_folding.pl.  It never changes: indexes hold what it gave.
 */
#ifndef CRM_BASE_CASE_FOLDING_H
#define CRM_BASE_CASE_FOLDING_H

/* Every step-th character from first to last folds to itself plus delta. */
typedef struct FoldRange
{
	uint32		first;
	uint32		last;
	int			step;
	int			delta;
} FoldRange;

/* A character that folds to several; 0 ends them. */
typedef struct FoldString
{
	uint32		code;
	uint32		folded[3];
} FoldString;

static const FoldRange fold_ranges[] = {
${\ table('{0x%04X, 0x%04X, %d, %d}', @ranges)}
};

static const FoldString fold_strings[] = {
${\ table('{0x%04X, {0x%04X, 0x%04X, 0x%04X}}', @strings)}
};

#endif							/* CRM_BASE_CASE_FOLDING_H */
END
