/*-------------------------------------------------------------------------
 *
 * backfill.h
 *	  Rows of migrate.backfill_* in and out.
 *
 * IDENTIFICATION
 *	  src/store/backfill.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_STORE_BACKFILL_H
#define PGM_STORE_BACKFILL_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "storage/block.h"
#include "storage/itemptr.h"

#include "base/rights.h"
#include "base/types.h"

/* A limit that a job leaves to the settings. */
#define PGM_LIMIT_UNSET	(-1)

/* Under which name the statement of a job that copies rows reads them. */
#define PGM_COPIED_ROWS	"pgm_old"

/* A row of migrate.backfill_job. */
typedef struct PgmJob
{
	int64		id;
	char	   *name;			/* NULL when inserted: made of relation and id */
	PgmJobState state;
	char	   *reason;
	bool		is_delete;
	bool		is_copy;
	Oid			relid;
	char	   *relation;		/* qualified and quoted, when it was submitted */
	char	   *assign;			/* NULL if is_delete; if is_copy, the INSERT,
								 * see pgm_shape_copy() */
	char	   *filter;			/* or NULL */
	char	   *predicate;		/* or NULL */
	List	   *set_columns;	/* of char * */
	bool		by_key;
	char	   *strategy_reason;
	List	   *key_columns;	/* of char *, NIL if none */
	List	   *settings;		/* names and values, see
								 * pgm_guc_save_meaning() */

	/* Limits, which can be changed; numbers PGM_LIMIT_UNSET, strings NULL. */
	int			lanes;
	int			batch_rows;
	int			batch_ms;
	char	   *window;
	TimestampTz not_before;		/* 0: at once */
	int			priority;
	int64		max_bad_rows;
	double		max_lag;
	int64		max_wal_rate;
	int			duty;
	char	   *hold_when;
	bool		vacuum_analyze;

	PgmAuthor	submitter;
	Oid			database;
	char	   *run_as;
	Oid			run_as_oid;
	TransactionId version;		/* changes with the row */
} PgmJob;

/* A row of migrate.backfill_leaf. */
typedef struct PgmLeaf
{
	int			leaf;
	Oid			relid;
	char	   *relation;
	int64		rows_estimate;
	int			pass;
	int64		pass_rows;
	BlockNumber blocks;
	BlockNumber next_block;
	List	   *next_key;		/* of char *; NIL: from the start */
	List	   *last_key;
	bool		done;
} PgmLeaf;

/* What a lane did in all; a part of migrate.backfill_lane. */
typedef struct PgmCounters
{
	int64		batches;
	int64		rows;
	int64		hot_rows;
	int64		bad_rows;
	int64		retries;
	int64		pages;
	int64		wal_bytes;
	int64		wal_fpi;
	double		busy_ms;
	double		lock_wait_ms;
	double		throttle_ms;
} PgmCounters;

/* A row of migrate.backfill_lane. */
typedef struct PgmLaneRow
{
	int64		job;
	int			lane;

	/* The piece that it has claimed. */
	int			leaf;			/* 0: none */
	int			pass;
	BlockNumber from_block;
	BlockNumber to_block;
	List	   *from_key;		/* NIL: from the start */
	List	   *to_key;
	int64		piece_units;
	double		piece_done;
	int64		piece_rows;

	const char *phase;
	char		reason[256];
	char		packing[256];
	int			crashes;		/* starts without a batch */
	int			batch_rows;
	PgmCounters counters;
	double		rate;
} PgmLaneRow;

/* A row of migrate.backfill_bad_row. */
typedef struct PgmBadRow
{
	Oid			relid;
	ItemPointerData ctid;
	TransactionId xmin;
	const char *key;			/* or NULL */
	List	   *key_values;		/* of the job's key, or NIL */
	const char *sqlstate;
	const char *message;
	const char *detail;			/* or NULL */
} PgmBadRow;

/* A row of migrate.backfill_minute, as far as its writer knows it. */
typedef struct PgmMinute
{
	int64		batches;
	double		p50_ms;
	double		p90_ms;
	double		p99_ms;
	double		lag;
} PgmMinute;

/* backfill.c */
extern int64 pgm_store_insert_job(const PgmJob *job);
extern PgmJob *pgm_store_fetch_job(int64 id, bool for_update);
extern int64 pgm_store_find_job(const char *name);
extern bool pgm_store_fetch_job_version(int64 id, TransactionId *version);
extern void pgm_store_set_job_state(int64 id, PgmJobState state, const char *reason);
extern void pgm_store_fail_job(int64 id, PgmJobState state, const char *reason,
							   const char *sqlstate, const char *error);
extern bool pgm_store_start_job(int64 id);
extern void pgm_store_set_job_due(int64 id, TimestampTz due_at, const char *reason);
extern void pgm_store_set_job_here(const PgmJob *job);
extern void pgm_store_set_limits(const PgmJob *job);
extern char *pgm_store_progress_line(int64 id);
extern void pgm_store_notify_run(int64 id, const char *migration, PgmJobState state,
								 const char *reason);
extern bool pgm_store_has_open_jobs(void);
extern char *pgm_store_find_unfilled(Oid relid, const char *column, char **state);
extern bool pgm_store_is_job_waiting(int64 id, int priority);
extern List *pgm_store_fetch_due_jobs(void);
extern void pgm_store_suspend_foreign_jobs(void);

/* lane.c */
extern void pgm_store_insert_leaf(int64 job, const PgmLeaf *leaf);
extern List *pgm_store_fetch_leaves(int64 job, bool for_update);
extern void pgm_store_save_leaf(int64 job, const PgmLeaf *leaf, int64 units);
extern void pgm_store_restart_leaf(int64 job, const PgmLeaf *leaf);
extern void pgm_store_move_leaf(int64 job, const PgmLeaf *leaf);
extern bool pgm_store_pieces_open(int64 job, int leaf);
extern void pgm_store_open_lane(PgmLaneRow *lane);
extern void pgm_store_save_lane(const PgmLaneRow *lane);
extern List *pgm_store_other_pieces(int64 job, int lane);
extern void pgm_store_drop_piece(int64 job, int lane);
extern void pgm_store_set_lane_reason(int64 job, int lane, const char *phase, const char *reason);
extern int	pgm_store_begin_lane(int64 job, int lane);
extern void pgm_store_clear_crashes(int64 job, int lane);
extern void pgm_store_add_lost(int64 job, int lane, const PgmCounters *lost);
extern void pgm_store_sum_lanes(int64 job, PgmCounters *sum);

/* bad_row.c */
extern void pgm_store_insert_bad_row(int64 job, const PgmBadRow *row);
extern List *pgm_store_fetch_bad_rows(int64 job, Oid relid);
extern void pgm_store_delete_bad_rows(int64 job);
extern int64 pgm_store_retry_bad_rows(int64 job);
extern bool pgm_store_has_retries(int64 job, Oid relid);
extern List *pgm_store_take_retries(int64 job, Oid relid, int limit);
extern void pgm_store_insert_minute(int64 job, const PgmMinute *minute);

#endif							/* PGM_STORE_BACKFILL_H */
