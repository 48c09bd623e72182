# Scripts come into the database byte for byte: by migrate.load() from a
# directory of the server, and from a client that has psql only.

use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(sha256_hex);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $node = new_node('main');
my $dir = PostgreSQL::Test::Utils::tempdir() . '/migrations';

mkdir $dir or die $!;

sub write_file
{
	my ($name, $bytes) = @_;

	open my $file, '>:raw', "$dir/$name" or die "$name: $!";
	print $file $bytes;
	close $file or die "$name: $!";
	return;
}

my %bytes = (
	'V2__second' => "CREATE TABLE second (a int);\n",
	'V10__tenth' => "CREATE TABLE tenth (a int);",
	'V1__first' => "-- migrate:up\r\nCREATE TABLE first (a text DEFAULT 'x\r\ny');\r\n-- migrate:down\r\nDROP TABLE first;\r\n",
	'V3__utf8' => "CREATE TABLE third (a text DEFAULT 'h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x98');\n\n\n",
	'V4__bom' => "\xef\xbb\xbfCREATE TABLE fourth (a text DEFAULT 'it''s \\ :x :''x'' \$1 \$\$');\n",
	'V5__big' => "-- " . 'x' x 200_000 . "\nCREATE TABLE fifth (a int);\n",
	"V6__n\xc3\xa4me" => "CREATE TABLE sixth (a int);\n",
);
my @order = ('V1__first', 'V2__second', 'V3__utf8', 'V4__bom', 'V5__big', "V6__n\xc3\xa4me", 'V10__tenth');
write_file("$_.sql", $bytes{$_}) foreach keys %bytes;
write_file('README.md', 'no migration');
write_file('.hidden.sql', 'no migration');
mkdir "$dir/V7__directory.sql" or die $!;

my $checksums = join "\n", map { "$_|" . sha256_hex($bytes{$_}) } @order;
my $stored = q(SELECT s.name, m.checksum FROM migrate.status() WITH ORDINALITY s
	JOIN migrate.migration m USING (name) ORDER BY s.ordinality);
my $defaults = q(SELECT encode(convert_to(pg_get_expr(adbin, adrelid), 'UTF8'), 'hex')
	FROM pg_attrdef ORDER BY adrelid::regclass::text);

# From the server.
is($node->safe_psql('postgres', "SELECT name, result FROM migrate.load('$dir')"),
	join("\n", map { "$_|registered" } @order), 'load() registers in order');
is($node->safe_psql('postgres', $stored), $checksums, 'checksums are those of the files');
is($node->safe_psql('postgres', 'SELECT name, source FROM migrate.migration ORDER BY name LIMIT 1'),
	"V10__tenth|$dir/V10__tenth.sql", 'source is the path of the file');
my $sha256sum = `sha256sum '$dir/V1__first.sql'`;
is($node->safe_psql('postgres', q(SELECT checksum FROM migrate.migration WHERE name = 'V1__first')),
	substr($sha256sum, 0, 64), 'checksums are what sha256sum prints');
is($node->safe_psql('postgres', "SELECT DISTINCT result FROM migrate.load('$dir///')"),
	'unchanged', 'load() again changes nothing');
$node->safe_psql('postgres', 'SELECT migrate.apply_all()');
my $expected = $node->safe_psql('postgres', $defaults);
like($expected, qr/68c3a920e282ac20f09f9098/, 'UTF-8 arrived as such');
like($expected, qr/780d0a79/, 'CRLF in a string is kept');
write_file('V2__second.sql', "-- a comment\n$bytes{'V2__second'}");
is($node->safe_psql('postgres', "SELECT DISTINCT result FROM migrate.load('$dir')"),
	'unchanged', 'a comment in an applied file does not matter');
write_file('V2__second.sql', "CREATE TABLE second (a text);\n");
is(sqlstate_of($node, "SELECT * FROM migrate.load('$dir')"), '55000', 'a change of an applied file does');
write_file('V2__second.sql', $bytes{'V2__second'});

# What is wrong is named, and nothing of the directory is registered.
sub load_fails
{
	my ($argument, $sqlstate, $message, $name, $user) = @_;
	my $count = $node->safe_psql('postgres', 'SELECT count(*) FROM migrate.migration');
	my ($status, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\nSELECT migrate.load($argument)",
		$user ? (extra_params => [ '-U', $user ]) : ());

	like($err, qr/ERROR:  $sqlstate: .*$message/s, $name);
	is($node->safe_psql('postgres', 'SELECT count(*) FROM migrate.migration'),
		$count, "$name: nothing is registered");
	return;
}

load_fails('NULL', '22004', 'directory', 'NULL');
load_fails(q(''), '22023', 'directory', 'an empty string');
load_fails(q('migrations'), '42602', 'migrations', 'a relative path');
load_fails(q('../migrations'), '42602', 'migrations', 'a relative path upwards');
load_fails("'$dir/missing'", '58P01', 'missing', 'a directory that is missing');
load_fails("'$dir/V2__second.sql'", '42809', 'V2__second.sql', 'a file');
my %faulty = (
	"X1__syntax" => [ "CREATE TABLE a ();\n\nCREATE TABEL b ();\n", '42601', 'line 3' ],
	"X2__marker" => [ "-- migrate:up\nSELECT 1;\n-- migrate:dwon\n", '42601', 'line 3' ],
	"X3__latin1" => [ "SELECT 1;\nSELECT 'h\xe9';\n", '22021', 'line 2' ],
	"X4__nul" => [ "SELECT 1;\n\nSELECT '\0';\n", '22021', 'line 3' ],
	"X5__empty" => [ '', '22023', 'X5__empty.sql' ],
	"X6__commit" => [ "SELECT 1;\nCOMMIT;\n", '42601', 'line 2' ],
	'X7 blank' => [ 'SELECT 1', '42602', 'X7 blank' ],
	'X8__utf16' => [ "\xff\xfeS\0E\0", '22021', 'line 1' ],
	('x' x 201) => [ 'SELECT 1', '42622', 'file' ],
);
foreach my $name (sort keys %faulty)
{
	my ($bytes, $sqlstate, $message) = @{ $faulty{$name} };

	write_file("A0__new.sql", 'SELECT 1');
	write_file("$name.sql", $bytes);
	load_fails("'$dir'", $sqlstate, $message, 'file ' . substr $name, 0, 20);
	unlink "$dir/$name.sql", "$dir/A0__new.sql";
}

# Rights: files of the server are for who may read them.
$node->safe_psql('postgres', q(CREATE ROLE plain LOGIN; CREATE ROLE reader LOGIN IN ROLE pg_read_server_files;
	SELECT migrate.grant_to('plain', 'admin'), migrate.grant_to('reader', 'admin')));
load_fails("'$dir'", '42501', 'pg_read_server_files', 'without pg_read_server_files', 'plain');
is($node->safe_psql('postgres', "SELECT DISTINCT result FROM migrate.load('$dir')",
	extra_params => [ '-U', 'reader' ]), 'unchanged', 'with pg_read_server_files');
SKIP:
{
	last if $> == 0;
	chmod 0, "$dir/V5__big.sql";
	load_fails("'$dir'", '42501', 'V5__big.sql', 'a file the server may not read');
	chmod 0644, "$dir/V5__big.sql";
}

# From a client, as documented: file by file, and the whole folder by a shell.
rmdir "$dir/V7__directory.sql";
unlink "$dir/.hidden.sql";
my %client = (
	'UTF8, one by one' => [ 'UTF8', join '', map { <<~SQL } @order ],
		\\lo_import '$dir/$_.sql'
		SELECT migrate.register('$_', lo_get(:LASTOID));
		\\lo_unlink :LASTOID
		SQL
	'UTF8, the folder' => [ 'UTF8' ],
	'LATIN1, the folder' => [ 'LATIN1' ],
);
foreach my $how (sort keys %client)
{
	my ($encoding, $sql) = @{ $client{$how} };
	my $database = 'client_' . ($encoding eq 'UTF8' ? defined $sql ? 'one' : 'all' : 'latin1');

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, 'CREATE EXTENSION pgmigrate');
	my $files = $encoding eq 'UTF8' ? '*.sql' : 'V[!6]*.sql';
	if (!defined $sql)
	{
		$sql = `cd '$dir' && for f in $files; do printf '%s\\n' "\\\\lo_import '\$f'" "SELECT migrate.register('\${f%.sql}', lo_get(:LASTOID));" '\\lo_unlink :LASTOID'; done`;
		like($sql, qr/\\lo_import 'V1__first\.sql'\n/, "$how: the lines for psql");
	}
	append_to_file("$dir/load.txt", $sql);
	{
		local $ENV{PGCLIENTENCODING} = $encoding;
		$node->command_ok([ 'sh', '-c', 'cd "$1" && exec psql -XAtq -v ON_ERROR_STOP=1 -d "$2" -f load.txt',
			'sh', $dir, $node->connstr($database) ], "$how: psql");
	}
	unlink "$dir/load.txt";
	my @names = grep { $encoding eq 'UTF8' || !/V6/ } @order;
	is($node->safe_psql($database, $stored),
		join("\n", map { "$_|" . sha256_hex($bytes{$_}) } @names), "$how: checksums are those of the files");
	is($node->safe_psql($database, 'SELECT count(*) FROM pg_largeobject_metadata'), '0',
		"$how: no large object is left");
	$node->safe_psql($database, 'SELECT migrate.apply_all()');
	is($node->safe_psql($database, $defaults), $expected, "$how: the same is applied");
}

done_testing();
