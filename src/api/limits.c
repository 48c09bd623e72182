/*-------------------------------------------------------------------------
 *
 * limits.c
 *	  The limits of a backfill, as arguments.
 *
 * migrate.backfill() and migrate.alter_backfill() have the same ones in the same
 * order.  A NULL leaves a limit as it is, which for a new job is the setting.
 *
 * IDENTIFICATION
 *	  src/api/limits.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "api/limits.h"
#include "api/run.h"
#include "backfill/backfill.h"
#include "backfill/window.h"
#include "base/args.h"

/* In the order of the arguments. */
enum
{
	ARG_LANES, ARG_BATCH_ROWS, ARG_BATCH_MS, ARG_WINDOW, ARG_NOT_BEFORE, ARG_PRIORITY,
	ARG_MAX_BAD_ROWS, ARG_MAX_LAG, ARG_MAX_WAL_RATE, ARG_DUTY, ARG_HOLD_WHEN,
	ARG_VACUUM_ANALYZE
};

static int64
in_range(const char *name, int64 value, int64 least, int64 most)
{
	if (value < least || value > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is out of range: " INT64_FORMAT, name, value),
				 errdetail("It can be from " INT64_FORMAT " to " INT64_FORMAT ".", least, most)));
	return value;
}

static void
read_int(FunctionCallInfo fcinfo, int n, const char *name, int least, int most, int *limit)
{
	if (!PG_ARGISNULL(n))
		*limit = (int) in_range(name, PG_GETARG_INT32(n), least, most);
}

static void
read_int64(FunctionCallInfo fcinfo, int n, const char *name, int64 least, int64 *limit)
{
	if (!PG_ARGISNULL(n))
		*limit = in_range(name, PG_GETARG_INT64(n), least, PG_INT64_MAX);
}

/*
 * The window in a form that does not depend on the session's time zone.
 */
char *
pgm_limits_window(const char *value)
{
	char	   *problem = NULL;
	PgmWindow  *window = pgm_window_parse(value, session_timezone, &problem);

	if (window == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid window \"%s\"", value),
				 errdetail("The problem is that %s.", problem),
				 errhint("A window looks like \"%s\".", PGM_WINDOW_EXAMPLE)));
	return pgm_window_text(window);
}

static double
read_lag(const Interval *lag)
{
	double		seconds = lag->time / 1000000.0 + lag->day * 86400.0 +
		lag->month * 30.0 * 86400.0;

	if (seconds < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"max_lag\" must not be negative")));
	return seconds;
}

/*
 * Set the limits of a job from the arguments that begin with number "first".
 */
void
pgm_limits_read(FunctionCallInfo fcinfo, int first, PgmJob *job)
{
	char	   *value;

	read_int(fcinfo, first + ARG_LANES, "lanes", 1, 64, &job->lanes);
	read_int(fcinfo, first + ARG_BATCH_ROWS, "batch_rows", 1, 1000000, &job->batch_rows);
	read_int(fcinfo, first + ARG_BATCH_MS, "batch_ms", 1, 60000, &job->batch_ms);
	value = pgm_args_optional_text(fcinfo, first + ARG_WINDOW, "window");
	if (value != NULL)
		job->window = pgm_limits_window(value);
	if (!PG_ARGISNULL(first + ARG_NOT_BEFORE))
		job->not_before = PG_GETARG_TIMESTAMPTZ(first + ARG_NOT_BEFORE);
	read_int(fcinfo, first + ARG_PRIORITY, "priority", -1000, 1000, &job->priority);
	read_int64(fcinfo, first + ARG_MAX_BAD_ROWS, "max_bad_rows", 0, &job->max_bad_rows);
	if (!PG_ARGISNULL(first + ARG_MAX_LAG))
		job->max_lag = read_lag(PG_GETARG_INTERVAL_P(first + ARG_MAX_LAG));
	read_int64(fcinfo, first + ARG_MAX_WAL_RATE, "max_wal_rate", 0, &job->max_wal_rate);
	read_int(fcinfo, first + ARG_DUTY, "duty", 1, 100, &job->duty);
	value = pgm_args_optional_text(fcinfo, first + ARG_HOLD_WHEN, "hold_when");
	if (value != NULL)
	{
		pgm_shape_check_condition(value);
		job->hold_when = value;
	}
	if (!PG_ARGISNULL(first + ARG_VACUUM_ANALYZE))
		job->vacuum_analyze = PG_GETARG_BOOL(first + ARG_VACUUM_ANALYZE);
}

/*
 * Leave all limits of a job that is new to the settings.
 */
void
pgm_limits_unset(PgmJob *job)
{
	job->lanes = job->batch_rows = job->batch_ms = job->duty = PGM_LIMIT_UNSET;
	job->max_bad_rows = job->max_wal_rate = PGM_LIMIT_UNSET;
	job->max_lag = PGM_LIMIT_UNSET;
}

static bool
reset_limit(const char *name, PgmJob *job)
{
	if (strcmp(name, "lanes") == 0)
		job->lanes = PGM_LIMIT_UNSET;
	else if (strcmp(name, "batch_rows") == 0)
		job->batch_rows = PGM_LIMIT_UNSET;
	else if (strcmp(name, "batch_ms") == 0)
		job->batch_ms = PGM_LIMIT_UNSET;
	else if (strcmp(name, "window") == 0)
		job->window = NULL;
	else if (strcmp(name, "not_before") == 0)
		job->not_before = 0;
	else if (strcmp(name, "priority") == 0)
		job->priority = 0;
	else if (strcmp(name, "max_bad_rows") == 0)
		job->max_bad_rows = PGM_LIMIT_UNSET;
	else if (strcmp(name, "max_lag") == 0)
		job->max_lag = PGM_LIMIT_UNSET;
	else if (strcmp(name, "max_wal_rate") == 0)
		job->max_wal_rate = PGM_LIMIT_UNSET;
	else if (strcmp(name, "duty") == 0)
		job->duty = PGM_LIMIT_UNSET;
	else if (strcmp(name, "hold_when") == 0)
		job->hold_when = NULL;
	else
		return false;
	return true;
}

/*
 * Leave the limits of these names to the settings again.
 */
void
pgm_limits_reset(List *names, PgmJob *job)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (!reset_limit((char *) lfirst(lc), job))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unrecognized limit \"%s\"", (char *) lfirst(lc)),
					 errhint("Limits have the names of the arguments of migrate.alter_backfill().")));
	}
}
