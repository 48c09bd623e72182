/*-------------------------------------------------------------------------
 *
 * backfill.h
 *	  Backfills: what is to be done to which rows, and batch by batch.
 *
 * IDENTIFICATION
 *	  src/backfill/backfill.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_BACKFILL_H
#define PGM_BACKFILL_H

#include "executor/spi.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "backfill/pace.h"
#include "backfill/throttle.h"
#include "store/backfill.h"

/*
 * What is done to a row; see shape.c.
 */
typedef struct PgmShape
{
	Oid			relid;
	char	   *alias;			/* under which the user's text knows the table */
	const char *assign;			/* NULL: the rows are deleted */
	bool		copies;			/* "assign" is an INSERT; see pgm_shape_copy() */
	const char *filter;			/* or NULL */
	char	   *predicate;		/* rows to be done, or NULL: all */
	bool		derived;		/* does it compare old and new values? */
	const char *once;			/* why a row must not be met twice, or NULL */
	List	   *set_columns;	/* of char * */
	Bitmapset  *set_attrs;		/* attribute numbers, offset as in the server */
	bool		check_done;		/* must it be checked that a row is done then? */
	bool		values_known;	/* can new values be computed beforehand? */
	bool		numbers;		/* do they come from a sequence? */
	List	   *values;			/* their expressions, of char * */
} PgmShape;

/* shape.c */
extern PgmShape *pgm_shape_analyze(Oid relid, const char *alias, const char *assign,
								   const char *filter);
extern PgmShape *pgm_shape_copy(Oid relid, const char *alias, const char *insert);
extern void pgm_shape_check_condition(const char *condition);
extern char *pgm_shape_target(Oid leaf, const char *alias);

/* target.c */
extern void pgm_target_check(Oid relid);
extern List *pgm_target_leaves(Oid relid);
extern void pgm_target_check_leaves(const PgmShape *shape, List *leaves);
extern List *pgm_target_keys(Oid relid);
extern List *pgm_target_find_key(List *relids, const PgmShape *shape);
extern void pgm_target_check_key(Oid relid, List *columns, const PgmShape *shape);
extern List *pgm_target_primary_key(Oid relid);
extern char *pgm_target_alias(const char *name);

/* strategy.c */
typedef struct PgmChoice
{
	bool		by_key;
	List	   *key_columns;
	char	   *reason;
} PgmChoice;

extern PgmChoice pgm_strategy_choose(const PgmShape *shape, List *leaves, const char *wanted,
									 List *wanted_key);
extern void pgm_strategy_check(Oid relid, const char *assign, const char *filter);

/*
 * A statement of ours with text of the user's in it, planned once; see
 * statement.c.
 */
typedef struct PgmStatement
{
	char	   *sql;
	int			nargs;
	Oid		   *types;
	bool		by_tid;			/* rows are found by their place, by nothing
								 * else */
	SPIPlanPtr	plan;
	MemoryContextCallback at_end;	/* frees the plan */
} PgmStatement;

/* Rows of a range of pages; see pgm_statement_candidates(). */
typedef enum PgmCandidates
{
	PGM_CANDIDATES_ALL,
	PGM_CANDIDATES_BUT,
	PGM_CANDIDATES_CAREFUL
} PgmCandidates;

/* statement.c */
extern PgmStatement *pgm_statement_make(char *sql, int nargs, const Oid *types, bool by_tid);
extern void pgm_statement_free(PgmStatement *statement);
extern void pgm_statement_check(PgmStatement *statement);
extern uint64 pgm_statement_run(PgmStatement *statement, Datum *values, bool read_only,
								DestReceiver *dest);
extern PgmStatement *pgm_statement_candidates(const PgmShape *shape, Oid leaf,
											  PgmCandidates which, bool values);
extern PgmStatement *pgm_statement_change(const PgmShape *shape, Oid leaf, bool skip_locked);
extern PgmStatement *pgm_statement_range(const PgmShape *shape, Oid leaf, List *key, bool open);
extern PgmStatement *pgm_statement_one(const PgmShape *shape, Oid leaf, List *key);
extern PgmStatement *pgm_statement_keys(Oid leaf, List *key, bool open, bool nth);
extern PgmStatement *pgm_statement_describe(Oid leaf, List *key);

/* leaf.c */
extern void pgm_leaf_check(const PgmShape *shape, Oid leaf, List *key);

/*
 * The rows of one range of pages that are still to be done; see span.c.
 */
typedef struct PgmSpan PgmSpan;

/* What came of a visit to the pages of a span. */
typedef struct PgmVisit
{
	int			round;			/* number of the batch: a page is seen once in
								 * each */
	int			chosen;			/* rows */
	int			moves;			/* among them, as far as can be foreseen */
	bool		gained;			/* had any page got room since the last visit? */
	bool		waiting;		/* is any page waiting for room? */
} PgmVisit;

extern PgmSpan *pgm_span_open(BlockNumber first, BlockNumber last, PgmStatement *candidates,
							  List *bad_rows, int max_rows);
extern void pgm_span_close(PgmSpan *span, Relation rel);
extern BlockNumber pgm_span_first(const PgmSpan *span);
extern BlockNumber pgm_span_end(const PgmSpan *span);
extern int	pgm_span_left(const PgmSpan *span);
extern BlockNumber pgm_span_next_block(const PgmSpan *span);
extern double pgm_span_done(const PgmSpan *span);
extern void pgm_span_take(PgmSpan *span, int want, ItemPointer out, PgmVisit *visit);
extern void pgm_span_take_fitting(PgmSpan *span, Relation rel, int slack, bool take_all,
								  int want, ItemPointer out, PgmVisit *visit);

/* pack.c */
typedef struct PgmPackRow
{
	uint16		old_size;		/* on the page, aligned */
	uint16		new_size;		/* aligned, with its line pointer */
} PgmPackRow;

typedef struct PgmPackChoice
{
	int			fitting;		/* so many rows fit on the page */
	int			moving;			/* and so many more are to go to other pages */
} PgmPackChoice;

extern PgmPackChoice pgm_pack_choose(const PgmPackRow *rows, int count, int free_space,
									 int first_count);

/*
 * A lane at work: its row, the piece that it has claimed, and where it is in
 * it; see lane.c.
 */
typedef struct PgmLane PgmLane;

typedef enum PgmStep
{
	PGM_STEP_ROWS,				/* a batch was done */
	PGM_STEP_AGAIN,				/* something else was done: go on at once */
	PGM_STEP_WAIT,				/* rows cannot be updated in place yet */
	PGM_STEP_LOCKED,			/* all that is left is locked by others */
	PGM_STEP_IDLE,				/* what is left is in the hands of other lanes */
	PGM_STEP_DONE,				/* nothing is left at all */
	PGM_STEP_STOPPED			/* the job is not to be run any more */
} PgmStep;

/* What to do about an error of a batch. */
typedef enum PgmRemedy
{
	PGM_REMEDY_RETRY,			/* the same later */
	PGM_REMEDY_SHRINK,			/* the same with fewer rows */
	PGM_REMEDY_BISECT,			/* look for the rows that are wrong */
	PGM_REMEDY_FAIL				/* there is no point in going on */
} PgmRemedy;

/* lane.c */
extern PgmLane *pgm_lane_create(int64 job, int lane, MemoryContext parent);
extern void pgm_lane_set_one_by_one(PgmLane *lane);
extern void pgm_lane_set_at_once(PgmLane *lane);
extern void pgm_lane_set_runs_paused(PgmLane *lane, bool value);
extern void pgm_lane_destroy(PgmLane *lane);
extern PgmStep pgm_lane_step(PgmLane *lane);
extern void pgm_lane_committed(PgmLane *lane, double ms);
extern PgmRemedy pgm_lane_aborted(PgmLane *lane, const ErrorData *error);
extern void pgm_lane_lost(PgmLane *lane, int retries, double lock_ms, double throttle_ms);
extern void pgm_lane_save_lost(PgmLane *lane);
extern void pgm_lane_waited(PgmLane *lane, double ms);
extern void pgm_lane_be_brief(PgmLane *lane, bool brief);
extern const PgmJob *pgm_lane_job(const PgmLane *lane);
extern PgmLaneRow *pgm_lane_row(PgmLane *lane);
extern int64 pgm_lane_rows(const PgmLane *lane);
extern int64 pgm_lane_wal_bytes(const PgmLane *lane);
extern bool pgm_lane_has_failed(const PgmLane *lane);

/* clean.c */
extern bool pgm_lane_wants_cleaning(const PgmLane *lane);
extern void pgm_lane_clean(PgmLane *lane);
extern void pgm_lane_forget_cleaning(PgmLane *lane);

/* complete.c */
extern int64 pgm_job_create(PgmJob *job, List *leaves);
extern bool pgm_job_complete(int64 id);
extern void pgm_job_relocate_leaves(const PgmJob *job);
extern bool pgm_job_reopen(const PgmJob *job);

#endif							/* PGM_BACKFILL_H */
