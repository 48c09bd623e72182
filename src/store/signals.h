/*-------------------------------------------------------------------------
 *
 * signals.h
 *	  How busy the server is, as far as a backfill has to care.
 *
 * IDENTIFICATION
 *	  src/store/signals.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_SIGNALS_H
#define PGM_SIGNALS_H

/* All counts are negative where they could not be told. */
typedef struct PgmSignals
{
	bool		known;			/* was anything read at all? */
	int			standbys;		/* connected */
	double		standby_lag_s;	/* of the one furthest behind; 0 without any */
	int64		standby_lag_bytes;
	int64		slot_bytes;		/* WAL kept by the slot furthest behind */
	int64		archive_files;	/* WAL files to be archived; 0 if none are */
	int			active;			/* other sessions that run a statement */
	bool		vacuum;			/* does one run on the table? */
	int64		xmin_age;		/* transactions since the oldest that still
								 * holds dead rows back in this database; 0 if
								 * there is none */
	double		xmin_seconds;	/* age of the oldest such transaction, or -1 */
	int			xmin_pid;		/* its process, or 0 */
	double		disk_free_percent;
} PgmSignals;

extern void pgm_signals_read(Oid relid, PgmSignals *out);

#endif							/* PGM_SIGNALS_H */
