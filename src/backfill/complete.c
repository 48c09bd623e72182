/*-------------------------------------------------------------------------
 *
 * complete.c
 *	  How a job begins and ends.
 *
 * IDENTIFICATION
 *	  src/backfill/complete.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "backfill/lane.h"

/* A pass that is not the last one found something, so many times. */
#define MANY_PASSES 16

/*
 * Record a new job with the tables that it goes through.  Returns its id.
 */
int64
pgm_job_create(PgmJob *job, List *leaves)
{
	int			number = 1;
	ListCell   *lc;

	job->id = pgm_store_insert_job(job);
	foreach(lc, leaves)
		pgm_piece_insert_leaf(job, number++, lfirst_oid(lc));
	return job->id;
}

/*
 * Record that nothing is left of a job, unless somebody else has done so, or it
 * is not to be run any more.  Returns whether that was recorded.
 */
bool
pgm_job_complete(int64 id)
{
	const bool	for_update = true;
	PgmJob	   *job = pgm_store_fetch_job(id, for_update);
	PgmCounters sum;
	int			passes = 0;
	const char *reason = "";
	ListCell   *lc;

	if (job == NULL || job->state > PGM_JOB_PAUSED)
		return false;
	foreach(lc, pgm_store_fetch_leaves(id, !for_update))
		passes = Max(passes, ((PgmLeaf *) lfirst(lc))->pass);
	pgm_store_sum_lanes(id, &sum);
	if (sum.bad_rows > 0)
		reason = sum.bad_rows == 1 ? "1 row was put aside" :
			psprintf(INT64_FORMAT " rows were put aside", sum.bad_rows);
	else if (passes >= MANY_PASSES)
		reason = psprintf("rows to be done were still found in pass %d", passes);
	pgm_store_set_job_state(id, PGM_JOB_DONE, reason);
	return true;
}

/*
 * Go through a leaf by its pages from the start.
 */
static void
restart_leaf(const PgmJob *job, PgmLeaf *leaf)
{
	Relation	rel = try_table_open(leaf->relid, AccessShareLock);

	leaf->pass = 1;
	leaf->pass_rows = 0;
	leaf->next_block = 0;
	leaf->blocks = rel == NULL ? 0 : RelationGetNumberOfBlocks(rel);
	leaf->done = rel == NULL;
	if (leaf->blocks == 0)
	{
		leaf->pass = 2;
		leaf->blocks = 1;
	}
	if (rel != NULL)
		table_close(rel, AccessShareLock);
	pgm_store_restart_leaf(job->id, leaf);
}

/*
 * The job has come with its tables from elsewhere: they have other OIDs, and
 * their rows are on other pages.  Keys are still what they were.
 */
void
pgm_job_relocate_leaves(const PgmJob *job)
{
	const bool	for_update = true;
	ListCell   *lc;

	foreach(lc, pgm_store_fetch_leaves(job->id, for_update))
	{
		PgmLeaf    *leaf = (PgmLeaf *) lfirst(lc);

		leaf->relid = DatumGetObjectId(DirectFunctionCall1(regclassin,
														   CStringGetDatum(leaf->relation)));
		if (job->by_key)
			pgm_store_move_leaf(job->id, leaf);
		else
			restart_leaf(job, leaf);
	}
}

/*
 * Queue a job again that has failed, or that is done but for rows that were put
 * aside, which are tried again.  Returns false if it has nothing to do.
 */
bool
pgm_job_reopen(const PgmJob *job)
{
	const bool	for_update = true;
	List	   *leaves = pgm_store_fetch_leaves(job->id, for_update);
	ListCell   *lc;

	if (!job->by_key)
	{
		pgm_store_delete_bad_rows(job->id);
		foreach(lc, leaves)
			restart_leaf(job, (PgmLeaf *) lfirst(lc));
	}
	else if (pgm_store_retry_bad_rows(job->id) == 0 && job->state == PGM_JOB_DONE)
		return false;
	pgm_store_clear_crashes(job->id, -1);
	pgm_store_set_job_state(job->id, PGM_JOB_QUEUED, "");
	return true;
}
