#!/usr/bin/perl
#
# meta.pl FILE [VERSION]  prints what keeps FILE from being a META.json for PGXN,
# as its Meta Spec 1.0.0 has it, as far as this extension uses that; or, given a
# version, only where FILE names another one.

use strict;
use warnings;
use JSON::PP;

my $semver = qr/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;
my %known = map { $_ => 1 } qw(name version abstract description maintainer
  license provides prereqs meta-spec tags no_index release_status resources
  generated_by);

open my $in, '<', $ARGV[0] or die "$ARGV[0]: $!\n";
my $meta = eval { decode_json(do { local $/; <$in> }) };
if (!$meta || ref $meta ne 'HASH')
{
	print "not a JSON object: ", $@ || "\n";
	exit;
}

if (defined(my $version = $ARGV[1]))
{
	my $mine = $meta->{provides}{ $meta->{name} };

	print "$ARGV[0]: version is $meta->{version}\n" if $meta->{version} ne $version;
	print "$ARGV[0]: provides $mine->{version}\n" if $mine->{version} ne $version;
	print "$ARGV[0]: the file is $mine->{file}\n"
	  if $mine->{file} ne "$meta->{name}--$version.sql";
	exit;
}

for my $key (qw(name version abstract maintainer license provides meta-spec))
{
	print "lacks \"$key\"\n" unless $meta->{$key};
}
for my $key (sort keys %$meta)
{
	print "\"$key\" is no key of the specification\n" unless $known{$key} || $key =~ /^x_/i;
}
print "version is not semantic\n" unless ($meta->{version} // '') =~ $semver;
print "release_status is none\n"
  unless ($meta->{release_status} // 'stable') =~ /^(stable|testing|unstable)$/;
print "meta-spec is not of version 1.0.0\n"
  unless ref $meta->{'meta-spec'} eq 'HASH'
  && ($meta->{'meta-spec'}{version} // '') =~ /^1\.0\.\d+$/;
my $provides = $meta->{provides};
print "provides nothing\n" unless ref $provides eq 'HASH' && %$provides;
for my $name (ref $provides eq 'HASH' ? sort keys %$provides : ())
{
	my $item = $provides->{$name};

	print "provides.$name lacks a file\n" unless $item->{file};
	print "provides.$name lacks a semantic version\n"
	  unless ($item->{version} // '') =~ $semver;
	print "provides.$name: there is no $item->{docfile}\n"
	  if $item->{docfile} && !-e $item->{docfile};
}
for my $phase (sort keys %{ $meta->{prereqs} // {} })
{
	for my $how (sort keys %{ $meta->{prereqs}{$phase} })
	{
		my $list = $meta->{prereqs}{$phase}{$how};

		for my $name (sort keys %$list)
		{
			print "prereqs.$phase.$how.$name is not a version\n"
			  unless $list->{$name} =~ /^(0|\d+\.\d+\.\d+)$/;
		}
	}
}
