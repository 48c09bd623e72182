# shellcheck shell=bash
#
# lib.sh  what the parts of the benchmark share; to be sourced by them, with
# PG_CONFIG and BINDIR of a private copy of the server that has the extension,
# and a directory WORK.
#
# What is measured is whole commands, each on a fresh copy of a template
# database, and what is told is ratios of commands run in turn on the same
# machine, medians of RUNS rounds: machines are noisy, ratios less so.

# shellcheck source=test/bin/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../bin/lib.sh"

# The rows to be filled, and what with.
ROWS=${ROWS:-2000000}
FULL_NAME="first_name || ' ' || last_name"

# What the plots are made of is left here, and the plots.
RESULTS=${RESULTS:-$WORK/results}
mkdir -p "$RESULTS"

sql()
{
	PGOPTIONS="-c client_min_messages=warning" "$BINDIR/psql" -XqAt -v ON_ERROR_STOP=1 "$@"
}

# millis COMMAND...  prints how long it took, in milliseconds
millis()
{
	local start end

	start=$(date +%s%N)
	"$@" >/dev/null
	end=$(date +%s%N)
	echo $(((end - start) / 1000))e-3
}

# median  of the numbers on its input; "-" of none
median()
{
	sort -g | awk '{v[NR] = $1}
		END {
			if (NR == 0) print "-"
			else print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
		}'
}

# calc EXPRESSION [FORMAT]  prints its value, or "-" where a figure is missing
calc()
{
	case $1 in
		- | "- "* | *"/ 0" | *"/ -") printf -- - ;;
		*) awk "BEGIN {printf \"${2:-%.2f}\", $1}" ;;
	esac
}

# create_template NAME  a database with the extension
create_template()
{
	sql -d postgres -c "CREATE DATABASE $1"
	sql -d "$1" -c "CREATE EXTENSION pgmigrate"
}

# start_fill_server DIR [LINE...]  a server for filling tables.  Autovacuum and
# checkpoints come when they want: both are kept away from what is timed, and a
# checkpoint is made before it, so that every run writes its own page images.
start_fill_server()
{
	local dir=$1
	shift

	start_server "$dir" "shared_buffers = 1GB" "min_wal_size = 4GB" "max_wal_size = 32GB" \
		"checkpoint_timeout = 1h" "autovacuum = off" \
		"shared_preload_libraries = 'pgmigrate'" "pgmigrate.backfill_max_workers = 4" "$@"
}

# fresh_fill TEMPLATE  makes database "work" a copy of a template.  The files
# are copied as they are, which neither fills the WAL nor the buffers.
fresh_fill()
{
	sql -d postgres -c "DROP DATABASE IF EXISTS work WITH (FORCE)" \
		-c "CREATE DATABASE work TEMPLATE $1 STRATEGY file_copy"
}

# create_users TEMPLATE SHAPE ROWS  a template database with the table "users".
# The indexes are built when the rows are in, so they are as dense as can be.
create_users()
{
	local template=$1 shape=$2 rows=$3
	local key="i" type=bigint with="" wide="" body="" values="" partitions="" indexes

	indexes="CREATE INDEX ON users (email); CREATE INDEX ON users (created_at);"
	case $shape in
		three) ;;
		pk) indexes="" ;;
		uuid) type=uuid key="md5('key' || i)::uuid" ;;
		fillfactor) with="WITH (fillfactor = 70)" ;;
		wide)
			body=", note text, body text"
			values=", repeat(md5('note' || i), 13), repeat(md5('body' || i), 60)"
			wide="ALTER TABLE users ALTER body SET STORAGE EXTERNAL;" ;;
		partitioned)
			with="PARTITION BY RANGE (id)"
			partitions=$(awk -v n="$rows" 'BEGIN {
				for (i = 0; i < 4; i++)
					printf "CREATE TABLE users_%d PARTITION OF users FOR VALUES FROM (%s) TO (%s);",
						i, i ? int(n / 4) * i : "MINVALUE", i < 3 ? int(n / 4) * (i + 1) : "MAXVALUE"}') ;;
		*) die "there is no table shape \"$shape\"" ;;
	esac
	create_template "$template"
	sql -d "$template" <<-SQL
		CREATE TABLE users (id $type NOT NULL, created_at timestamptz NOT NULL,
			balance bigint NOT NULL, active boolean NOT NULL, first_name text NOT NULL,
			last_name text NOT NULL, email text NOT NULL, city text, phone text$body) $with;
		$partitions
		$wide
		INSERT INTO users SELECT $key, '2020-01-01 UTC'::timestamptz + i * interval '1 minute',
			i % 1000, i % 7 <> 0, substr(h, 1, 6), substr(h, 7, 8),
			substr(h, 15, 10) || '@example.com', substr(h, 25, 8), '+' || (10000000000 + i * 7919::bigint)
			$values
			FROM (SELECT i, md5(i::text) AS h FROM generate_series(1, $rows) i) g;
		ALTER TABLE users ADD PRIMARY KEY (id);
		$indexes
		VACUUM ANALYZE users;
	SQL
}

# fill_with_engine LANES  the backfill, from its submission to its end
fill_with_engine()
{
	sql -d work -c "SELECT migrate.backfill('users', \$\$full_name = $FULL_NAME\$\$,
			filter => 'full_name IS NULL', name => 'fill', lanes => $1)" \
		-c "CALL migrate.wait('fill'::text)"
}

# check_fill [COLUMN]  every row has what it should, and the backfill has ended well
check_fill()
{
	local wrong state

	wrong=$(sql -d work -c "SELECT count(*) FROM users WHERE ${1:-full_name} IS DISTINCT FROM $FULL_NAME")
	[ "$wrong" = 0 ] || die "$wrong rows are not as they should be"
	case $(sql -d work -c "SELECT to_regclass('migrate.backfill_job')") in '') return ;; esac
	state=$(sql -d work -c "SELECT state, reason, error FROM migrate.backfill_job WHERE state <> 'done'")
	[ -z "$state" ] || die "the backfill did not end: $state"
}

# target NAME VALUE BOUND [UNIT]  a line of the table of what is to be reached
target()
{
	local verdict=-

	case $2 in
		*[0-9]*) if [ "$(calc "$2 <= $3" %d)" = 1 ]; then verdict=met; else verdict=missed; fi ;;
	esac
	printf '| %s | %s%s | <= %s%s | %s |\n' "$1" "$2" "${4:-}" "$3" "${4:-}" "$verdict"
}

# describe_machine SETTING...  what was measured on, as a list
describe_machine()
{
	local name

	printf -- '- PostgreSQL %s, %s cores (%s), %s GB of memory\n' \
		"$(sql -d postgres -c 'SHOW server_version')" "$(nproc)" \
		"$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)" \
		"$(awk '/^MemTotal/ {printf "%.0f", $2 / 1024 / 1024}' /proc/meminfo)"
	printf -- '- load of the machine before: %s\n' "$(cut -d ' ' -f 1 /proc/loadavg)"
	printf -- '- settings:'
	# shellcheck disable=SC2016
	for name in "$@"; do
		printf ' `%s = %s`' "$name" "$(sql -d postgres -c "SHOW $name")"
	done
	printf '\n'
}
