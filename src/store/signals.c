/*-------------------------------------------------------------------------
 *
 * signals.c
 *	  How busy the server is, as far as a backfill has to care.
 *
 * Everything is read in one query on the server's own functions, which take
 * their figures from shared memory, and from the file system.  It is read as the
 * owner of the extension; what that role may not see is unknown, not an error.
 *
 * A standby is a WAL receiver that tells what it has replayed, which leaves out
 * pg_basebackup and pg_receivewal, and is not fed by logical decoding, whose
 * backlog the slots tell.  The lag that a walsender reports is too good in two
 * cases.  While a standby catches up, lag counts from the sending of WAL that is
 * old already, so it is unknown as long as there is any left to replay.  And when
 * a standby falls silent, its last lag stays: the time since it was heard counts
 * too, by our clock, since standbys' clocks may be wrong.
 *
 * What holds dead rows back is a snapshot or a transaction ID, of a session of
 * this database, a standby's feedback, a slot or a prepared transaction; not
 * a vacuum's.
 *
 * IDENTIFICATION
 *	  src/store/signals.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifndef WIN32
#include <sys/statvfs.h>
#endif

#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/backend_status.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "base/query.h"
#include "store/signals.h"

/* Entries of the archiver's directory that are looked at. */
#define MOST_STATUS_FILES	10000

static PgmQuery signals_query = {
	"WITH here AS MATERIALIZED (SELECT"
	"  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
	"   ELSE pg_current_wal_flush_lsn() END AS lsn,"
	"  pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all),"
	" slot AS MATERIALIZED (SELECT s.slot_type, s.active_pid, s.xmin,"
	"  CASE WHEN s.wal_status <> 'lost' THEN here.lsn - s.restart_lsn END AS kept"
	"  FROM here, pg_get_replication_slots() s),"
	" sender AS MATERIALIZED (SELECT w.state, w.replay_lag, w.reply_time, w.replay_lsn,"
	"  here.lsn - w.replay_lsn AS behind FROM here, pg_stat_get_wal_senders() w"
	"  WHERE NOT EXISTS (SELECT FROM slot WHERE slot_type = 'logical' AND active_pid = w.pid)),"
	/* A walsender without a state is one that we may not see. */
	" standby AS (SELECT behind, reply_time, CASE"
	"  WHEN behind <= 0 THEN 0"
	"  WHEN state = 'catchup' THEN NULL"
	/* After a rest the lag is not known before the next reply. */
	"  WHEN replay_lag IS NULL AND behind < 1048576 THEN 0"
	"  ELSE extract(epoch FROM replay_lag) END AS lag"
	"  FROM sender WHERE state IS NULL"
	"   OR state IN ('streaming', 'catchup') AND replay_lsn IS NOT NULL),"
	" vacuum AS MATERIALIZED (SELECT pid, relid FROM pg_stat_get_progress_info('VACUUM')),"
	" session AS MATERIALIZED (SELECT a.pid, a.datid, a.state, a.backend_type, a.xact_start,"
	"  greatest(age(a.backend_xmin), age(a.backend_xid)) AS age FROM pg_stat_get_activity(NULL) a"
	"  WHERE a.pid <> pg_backend_pid() AND (a.backend_type LIKE 'pgmigrate%') IS NOT TRUE),"
	" holder AS (SELECT age, xact_start AS since, pid FROM session"
	"  WHERE age IS NOT NULL AND (datid = $1 OR backend_type = 'walsender')"
	"   AND pid NOT IN (SELECT pid FROM vacuum)"
	"  UNION ALL SELECT age(xmin), NULL, NULL FROM slot WHERE xmin IS NOT NULL"
	"  UNION ALL SELECT age(transaction), prepared, NULL FROM pg_prepared_xact() WHERE dbid = $1)"
	" SELECT st.*, (SELECT coalesce(max(kept), 0)::int8 FROM slot),"
	"  CASE WHEN here.sees_all THEN (SELECT count(*)::int4 FROM session"
	"   WHERE state = 'active' AND backend_type = 'client backend') END,"
	"  EXISTS (SELECT FROM vacuum WHERE pid <> pg_backend_pid()"
	"   AND relid IN ($2, (SELECT reltoastrelid FROM pg_class WHERE oid = $2))),"
	"  h.*"
	" FROM here, (SELECT count(*)::int4, max(lag)::float8, bool_or(lag IS NULL),"
	"  max(behind)::int8, bool_or(behind IS NULL),"
	/* A few bytes are no reason for a standby to say anything. */
	"  min(reply_time) FILTER (WHERE behind >= 65536) FROM standby) st,"
	" (SELECT coalesce(max(age), 0)::int8, extract(epoch FROM clock_timestamp() - min(since))::float8,"
	"  (array_agg(pid ORDER BY since))[1] FROM holder) h",
	SPI_OK_SELECT, 2, {OIDOID, OIDOID}
};

/* Columns of its only row. */
enum
{
	COLUMN_STANDBYS = 1,
	COLUMN_LAG,
	COLUMN_LAG_UNKNOWN,
	COLUMN_BEHIND,
	COLUMN_BEHIND_UNKNOWN,
	COLUMN_REPLY,
	COLUMN_SLOT,
	COLUMN_ACTIVE,
	COLUMN_VACUUM,
	COLUMN_XMIN_AGE,
	COLUMN_XMIN_SECONDS,
	COLUMN_XMIN_PID
};

/*
 * Seconds for which the standby that is silent the longest has been so, as far
 * as this process has watched.  The argument is what its last reply says
 * about its time, by its own clock, or 0 if none is behind; it is only compared
 * with the one before.
 */
static double
silent_seconds(TimestampTz reply)
{
	static TimestampTz last_reply = 0;
	static TimestampTz since = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (reply != last_reply)
	{
		last_reply = reply;
		since = now;
	}
	return (now - since) / (double) USECS_PER_SEC;
}

static void
read_standbys(PgmSignals *out)
{
	TimestampTz reply = pgm_query_time(0, COLUMN_REPLY);
	double		silent = silent_seconds(reply);

	out->standbys = pgm_query_int(0, COLUMN_STANDBYS, 0);
	out->standby_lag_s = pgm_query_float(0, COLUMN_LAG, 0);
	if (reply != 0)
		out->standby_lag_s = Max(out->standby_lag_s, silent);
	if (pgm_query_bool(0, COLUMN_LAG_UNKNOWN))
		out->standby_lag_s = -1;
	out->standby_lag_bytes = Max(pgm_query_int64(0, COLUMN_BEHIND, -1), 0);
	if (pgm_query_bool(0, COLUMN_BEHIND_UNKNOWN))
		out->standby_lag_bytes = -1;
}

/*
 * WAL files that wait for the archiver, or as many as there are among the first
 * some thousand entries of its directory; -1 if it cannot be read.
 */
static int64
count_archive_files(void)
{
	const char *path = XLOGDIR "/archive_status";
	DIR		   *dir;
	struct dirent *entry;
	int64		count = 0;

	if (!XLogArchivingActive())
		return 0;
	dir = AllocateDir(path);
	if (dir == NULL)
		return -1;
	for (int i = 0; i < MOST_STATUS_FILES; i++)
	{
		const char *suffix;

		entry = ReadDirExtended(dir, path, LOG);
		if (entry == NULL)
			break;
		suffix = strrchr(entry->d_name, '.');
		if (suffix != NULL && strcmp(suffix, ".ready") == 0)
			count++;
	}
	FreeDir(dir);
	return count;
}

/*
 * Free space of the file system of a path in percent, as df counts it, or -1.
 */
static double
free_percent(const char *path)
{
#ifndef WIN32
	struct statvfs fs;
	double		usable;

	if (statvfs(path, &fs) != 0)
		return -1;
	usable = (double) fs.f_blocks - (double) fs.f_bfree + (double) fs.f_bavail;
	if (usable > 0)
		return 100.0 * (double) fs.f_bavail / usable;
#endif
	return -1;
}

/*
 * The least of that where a backfill writes: the data directory, the WAL, the
 * database and the table.
 */
static double
disk_free_percent(Oid relid)
{
	char	   *table_path = psprintf("pg_tblspc/%u", get_rel_tablespace(relid));
	const char *paths[] = {DataDir, XLOGDIR, DatabasePath, table_path};
	double		least = -1;

	for (int i = 0; i < lengthof(paths); i++)
	{
		double		percent = paths[i] == NULL ? -1 : free_percent(paths[i]);

		if (percent >= 0 && (least < 0 || percent < least))
			least = percent;
	}
	pfree(table_path);
	return least;
}

/*
 * Read all signals for a backfill of the given table, in the transaction of the
 * caller.  What cannot be told is unknown.
 */
void
pgm_signals_read(Oid relid, PgmSignals *out)
{
	PgmQueryScope scope;
	Datum		values[2];

	memset(out, 0, sizeof(*out));

	/* What was seen earlier in this transaction is kept otherwise. */
	pgstat_clear_backend_activity_snapshot();

	values[0] = ObjectIdGetDatum(MyDatabaseId);
	values[1] = ObjectIdGetDatum(relid);
	pgm_query_begin(&scope);
	pgm_query_run(&signals_query, values, NULL);
	read_standbys(out);
	out->slot_bytes = pgm_query_int64(0, COLUMN_SLOT, -1);
	out->active = pgm_query_int(0, COLUMN_ACTIVE, -1);
	out->vacuum = pgm_query_bool(0, COLUMN_VACUUM);
	out->xmin_age = pgm_query_int64(0, COLUMN_XMIN_AGE, -1);
	out->xmin_seconds = pgm_query_float(0, COLUMN_XMIN_SECONDS, -1);
	out->xmin_pid = pgm_query_int(0, COLUMN_XMIN_PID, 0);
	pgm_query_end(&scope);

	out->archive_files = count_archive_files();
	out->disk_free_percent = disk_free_percent(relid);
	out->known = true;
}
