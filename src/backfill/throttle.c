/*-------------------------------------------------------------------------
 *
 * throttle.c
 *	  Whether a backfill may go on at full speed, and how long it rests.
 *
 * Each signal is compared with its limit.  Below 70 percent of it a backfill
 * runs, from there on it is slow, and at the limit it holds, until the signal is
 * below 85 percent again.  The worst signal decides.  Being slow before the
 * limit is reached, a backfill finds the speed that the standbys and the
 * archiver can follow, and rarely has to hold.
 *
 * A vacuum of the table makes it slow, not hold: a vacuum of a big table may
 * take hours, and there may be another one right after it.
 *
 * What is unknown:
 *
 * lag in time		hold: it is unknown only while standbys are connected, and
 *					one of them may be far behind
 * lag in bytes		the same, if there is no limit for the lag in time
 * all others		go: the owner of the extension may not see them, or the
 *					system does not tell
 *
 * IDENTIFICATION
 *	  src/backfill/throttle.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "backfill/throttle.h"

#define SLOW_FROM			0.70	/* share of the limit */
#define HOLD_FROM			1.00
#define HOLD_DOWN_TO		0.85	/* once it holds */
#define SLOW_REST			3.0 /* times as long as the batch took */
#define HOLD_REST_MS		1000.0

/* Bits of PgmThrottleState. */
typedef enum Signal
{
	SIGNAL_LAG,
	SIGNAL_LAG_BYTES,
	SIGNAL_SLOT,
	SIGNAL_ARCHIVE,
	SIGNAL_DISK,
	SIGNAL_ACTIVE,
	SIGNAL_XMIN,
	SIGNAL_VACUUM,
	SIGNAL_COUNT
} Signal;

/* How near to its limit a signal is: 1 is at the limit, 0 is no reason at all. */
typedef struct Pressure
{
	Signal		signal;
	double		value;
	PgmZone		zone;
} Pressure;

/*
 * Share of a limit, 0 if there is none or the signal is unknown.
 */
static double
share(double value, double limit)
{
	return limit > 0 && value > 0 ? value / limit : 0;
}

/*
 * The same for the lag, which must be known.
 */
static double
share_of_lag(double value, double limit)
{
	return limit > 0 && value < 0 ? HOLD_FROM : share(value, limit);
}

static double
pressure_of(Signal signal, const PgmLimits *l, const PgmSignals *s)
{
	const double nearly_none = 0.001;

	switch (signal)
	{
		case SIGNAL_LAG:
			return share_of_lag(s->standby_lag_s, l->max_lag_s);
		case SIGNAL_LAG_BYTES:
			if (l->max_lag_s > 0)
				return share(s->standby_lag_bytes, l->max_lag_bytes);
			return share_of_lag(s->standby_lag_bytes, l->max_lag_bytes);
		case SIGNAL_SLOT:
			return share(s->slot_bytes, l->max_slot_bytes);
		case SIGNAL_ARCHIVE:
			return share(s->archive_files, l->max_archive_files);
		case SIGNAL_DISK:
			/* Less is worse, and nothing is the worst. */
			if (s->disk_free_percent < 0)
				return 0;
			return share(l->min_free_disk, Max(s->disk_free_percent, nearly_none));
		case SIGNAL_ACTIVE:
			return share(s->active, l->max_active);
		case SIGNAL_XMIN:
			return share(s->xmin_seconds, l->max_xmin_s);
		case SIGNAL_VACUUM:
			return l->yield_to_vacuum && s->vacuum ? SLOW_FROM : 0;
		case SIGNAL_COUNT:
			break;
	}
	return 0;
}

static PgmZone
zone_of(double pressure, bool held)
{
	if (pressure >= (held ? HOLD_DOWN_TO : HOLD_FROM))
		return PGM_ZONE_HOLD;
	return pressure >= SLOW_FROM ? PGM_ZONE_SLOW : PGM_ZONE_RUN;
}

/*
 * Bytes in words, with one decimal.
 */
static void
append_bytes(StringInfo text, int64 bytes)
{
	static const char *const units[] = {"kB", "MB", "GB", "TB"};
	double		value = bytes / 1024.0;
	int			unit = 0;

	while (value >= 1024 && unit < lengthof(units) - 1)
	{
		value /= 1024;
		unit++;
	}
	appendStringInfo(text, "%.1f %s", value, units[unit]);
}

static void
append_bytes_of_limit(StringInfo text, const char *what, int64 bytes, int64 limit)
{
	appendStringInfo(text, "%s ", what);
	if (bytes < 0)
		appendStringInfoString(text, "unknown");
	else
		append_bytes(text, bytes);
	appendStringInfoString(text, " (limit ");
	append_bytes(text, limit);
	appendStringInfoChar(text, ')');
}

/*
 * What a signal says, with its figure and its limit.
 */
static void
append_signal(StringInfo text, Signal signal, const PgmLimits *l, const PgmSignals *s)
{
	switch (signal)
	{
		case SIGNAL_LAG:
			if (s->standby_lag_s < 0)
				appendStringInfo(text, "replica lag unknown (limit %.1f s)", l->max_lag_s);
			else
				appendStringInfo(text, "replica lag %.1f s (limit %.1f s)",
								 s->standby_lag_s, l->max_lag_s);
			break;
		case SIGNAL_LAG_BYTES:
			append_bytes_of_limit(text, "replica lag", s->standby_lag_bytes, l->max_lag_bytes);
			break;
		case SIGNAL_SLOT:
			append_bytes_of_limit(text, "WAL kept by a replication slot",
								  s->slot_bytes, l->max_slot_bytes);
			break;
		case SIGNAL_ARCHIVE:
			appendStringInfo(text, "WAL files not archived " INT64_FORMAT " (limit %d)",
							 s->archive_files, l->max_archive_files);
			break;
		case SIGNAL_DISK:
			appendStringInfo(text, "free disk space %.1f %% (limit %.1f %%)",
							 s->disk_free_percent, l->min_free_disk);
			break;
		case SIGNAL_ACTIVE:
			appendStringInfo(text, "active sessions %d (limit %d)", s->active, l->max_active);
			break;
		case SIGNAL_XMIN:
			appendStringInfo(text, "oldest transaction %.1f s (limit %.1f s", s->xmin_seconds,
							 l->max_xmin_s);
			if (s->xmin_pid != 0)
				appendStringInfo(text, ", process %d", s->xmin_pid);
			appendStringInfoChar(text, ')');
			break;
		case SIGNAL_VACUUM:
			appendStringInfoString(text, "vacuum of the table");
			break;
		case SIGNAL_COUNT:
			break;
	}
}

/*
 * The worst first.
 */
static int
compare_pressures(const void *a, const void *b)
{
	const Pressure *x = (const Pressure *) a;
	const Pressure *y = (const Pressure *) b;

	if (x->zone != y->zone)
		return x->zone > y->zone ? -1 : 1;
	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	return (int) x->signal - (int) y->signal;
}

/*
 * Decide by the signals in which zone a backfill is, and say why: what makes it
 * slow or holds it, the worst first, or an empty string if it runs.  The state
 * is what was remembered at the last decision, and is brought up to date.
 * Signals that were not read yet are no reason for anything.
 */
PgmZone
pgm_throttle_judge(const PgmLimits *l, const PgmSignals *s, PgmThrottleState *state,
				   char *reason, size_t len)
{
	Pressure	pressures[SIGNAL_COUNT];
	StringInfoData text;

	reason[0] = '\0';
	if (!s->known)
		return PGM_ZONE_RUN;
	for (int i = 0; i < SIGNAL_COUNT; i++)
	{
		Pressure   *p = &pressures[i];

		p->signal = (Signal) i;
		p->value = pressure_of(p->signal, l, s);
		p->zone = zone_of(p->value, (state->held & (1U << i)) != 0);
		if (p->zone == PGM_ZONE_HOLD)
			state->held |= 1U << i;
		else
			state->held &= ~(1U << i);
	}
	qsort(pressures, SIGNAL_COUNT, sizeof(Pressure), compare_pressures);
	if (pressures[0].zone == PGM_ZONE_RUN)
		return PGM_ZONE_RUN;

	initStringInfo(&text);
	for (int i = 0; i < SIGNAL_COUNT && pressures[i].zone != PGM_ZONE_RUN; i++)
	{
		if (i > 0)
			appendStringInfoString(&text, ", ");
		append_signal(&text, pressures[i].signal, l, s);
	}
	strlcpy(reason, text.data, len);
	pfree(text.data);
	return pressures[0].zone;
}

/*
 * Milliseconds to rest after a batch that took so long and wrote so much WAL: as
 * long as the strictest of the duty cycle, the budget of WAL and the zone asks
 * for.  On hold it is the time to the next look.
 */
double
pgm_throttle_pause_ms(const PgmLimits *l, PgmZone zone, double batch_ms, int64 batch_wal_bytes)
{
	double		rest = 0;

	if (l->duty > 0 && l->duty < 100)
		rest = batch_ms * (100 - l->duty) / l->duty;
	if (l->max_wal_rate > 0)
		rest = Max(rest, batch_wal_bytes * 1000.0 / l->max_wal_rate - batch_ms);
	if (zone == PGM_ZONE_SLOW)
		rest = Max(rest, batch_ms * SLOW_REST);
	if (zone == PGM_ZONE_HOLD)
		rest = Max(rest, HOLD_REST_MS);
	return rest;
}
