#!/usr/bin/perl
#
# cstyle.pl CHECK FILE...  prints what breaks one rule in these C files.
#
# A line-wise search cannot tell code from comments and strings, so the file is
# cut into tokens first.  CHECK is one of
#	length    functions over 100 lines, .c files over 600
#	errcode   errors without an SQLSTATE
#	message   messages, details and hints that are not in the server's style
#	tables    SQL text that names the extension's tables
#	word RE   identifiers that match RE

use strict;
use warnings;

my $check = shift;
my $word = $check eq 'word' ? shift : '';

# tokens(TEXT)  a list of [kind, text, line]; kind is word, string or sign
sub tokens
{
	my ($text) = @_;
	my @tokens;
	my $line = 1;

	while ($text =~ /\G(?:(\s+|\/\*.*?\*\/|\/\/[^\n]*)|("(?:[^"\\]|\\.)*")|('(?:[^'\\]|\\.)*')|(\w+)|(.))/gs)
	{
		my ($blank, $string, $char, $name, $sign) = ($1, $2, $3, $4, $5);
		my $all = $blank // $string // $char // $name // $sign;

		push @tokens, [ 'string', substr($string, 1, -1), $line ] if defined $string;
		push @tokens, [ 'word', $name, $line ] if defined $name;
		push @tokens, [ 'sign', $sign // $char, $line ] if defined($sign // $char);
		$line += ($all =~ tr/\n//);
	}
	return @tokens;
}

# arguments(TOKENS, I)  those of the call whose name is token I, as lists
sub arguments
{
	my ($tokens, $i) = @_;
	my @arguments = ([]);
	my $depth = 0;

	for ($i++; $i < @$tokens; $i++)
	{
		my ($kind, $text) = @{ $tokens->[$i] };

		if ($kind eq 'sign')
		{
			$depth-- if $text =~ /^[)}\]]$/;
			last if $depth == 0 && $text eq ')';
			$depth++ if $text =~ /^[({\[]$/;
			next if $depth == 1 && $text eq '(' && @arguments == 1 && !@{ $arguments[0] };
			if ($depth == 1 && $text eq ',')
			{
				push @arguments, [];
				next;
			}
		}
		push @{ $arguments[-1] }, $tokens->[$i];
	}
	return @arguments;
}

# literal(TOKENS)  the string they make, a macro in it as %s; undef if none
sub literal
{
	my @tokens = grep { !($_->[0] eq 'sign' && $_->[1] =~ /^[()]$/)
		  && !($_->[0] eq 'word' && $_->[1] =~ /^(_|gettext_noop)$/) } @_;

	return undef unless @tokens && $tokens[0][0] eq 'string';
	return join '', map { $_->[0] eq 'string' ? $_->[1] : '%s' } @tokens;
}

sub check_length
{
	my ($file, $text) = @_;
	my @lines = split /\n/, $text;
	my $start;

	my $count = ($text =~ tr/\n//);
	print "$file: $count lines\n" if $file =~ /\.c$/ && $count > 600;
	for my $i (1 .. $#lines)
	{
		$start = $i if $lines[$i] eq '{' && $lines[ $i - 1 ] =~ /\)\s*$/;
		next unless defined $start && $lines[$i] =~ /^\}/;
		print "$file:", $start, ": function of ", $i - $start + 1, " lines\n"
		  if $i - $start + 1 > 100;
		undef $start;
	}
}

sub check_errcode
{
	my ($file, @tokens) = @_;

	for my $i (grep { $tokens[$_][1] =~ /^ereport(_domain)?$/ } 0 .. $#tokens)
	{
		my ($level, @rest) = arguments(\@tokens, $i);

		next if join('', map { $_->[1] } @$level) =~ /^(DEBUG[1-5]|LOG|INFO|NOTICE|WARNING)$/;
		next if grep { $_->[1] =~ /^errcode(_for_.*)?$/ } map { @$_ } @rest;
		print "$file:$tokens[$i][2]: ereport without errcode\n";
	}
}

sub check_message
{
	my ($file, @tokens) = @_;

	for my $i (grep { $tokens[$_][0] eq 'word' } 0 .. $#tokens)
	{
		my $name = $tokens[$i][1];

		next unless $name =~ /^err(msg|detail|hint)(_internal|_log|_plural)?$/;
		my @arguments = arguments(\@tokens, $i);
		for my $argument (@arguments[ 0 .. ($name =~ /plural/ && $#arguments > 0 ? 1 : 0) ])
		{
			my $text = literal(@$argument);
			my @faults;

			next unless defined $text;
			push @faults, "says \"$1\"" if $text =~ /\b(unable|failed to|unknown|bad|illegal)\b/i;
			if ($name =~ /^errmsg/)
			{
				# names and SQL keywords keep their case
				push @faults, 'begins with a capital'
				  if $text =~ /^[A-Z]/ && $text !~ /^([A-Z]{2,}|PostgreSQL)\b/;
				push @faults, 'ends with a period' if $text =~ /\.$/ && $text !~ /\.\.\.$/;
			}
			else
			{
				push @faults, 'begins with a small letter' if $text =~ /^[a-z]/;
				push @faults, 'ends without a period' if $text !~ /([.?!:]|%s|%m)$/;
			}
			print "$file:$tokens[$i][2]: $name(\"$text\") $_\n" for @faults;
		}
	}
}

sub check_tables
{
	my ($file, @tokens) = @_;
	my $text = '';

	for my $token (@tokens, [ 'sign', '', 0 ])
	{
		if ($token->[0] eq 'string')
		{
			$text .= $token->[1];
			next;
		}
		print "$file:$token->[2]: names $1\n"
		  if $text =~ /\b(migrate\.(migration|run|run_statement))\b(?!\()/;
		$text = '';
	}
}

for my $file (@ARGV)
{
	open my $in, '<', $file or die "$file: $!\n";
	my $text = do { local $/; <$in> };
	close $in;

	if    ($check eq 'length')  { check_length($file, $text); }
	elsif ($check eq 'errcode') { check_errcode($file, tokens($text)); }
	elsif ($check eq 'message') { check_message($file, tokens($text)); }
	elsif ($check eq 'tables')  { check_tables($file, tokens($text)); }
	elsif ($check eq 'word')
	{
		print "$file:$_->[2]: $_->[1]\n"
		  for grep { $_->[0] eq 'word' && $_->[1] =~ /^(?:$word)$/ } tokens($text);
	}
	else { die "cstyle.pl: no check \"$check\"\n"; }
}
