/*-------------------------------------------------------------------------
 *
 * job_row.h
 *	  A row of migrate.backfill_job, for the files of this room.
 *
 * IDENTIFICATION
 *	  src/store/job_row.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_JOB_ROW_H
#define PGM_JOB_ROW_H

#include "store/backfill.h"

/* What pgm_store_read_job() reads, of a job called j. */
#define PGM_JOB_COLUMNS \
	"j.id, j.name, j.state, j.reason, j.command = 'DELETE', j.command = 'COPY', j.relid," \
	" j.relation, j.assign," \
	" j.filter, j.predicate, j.set_columns, j.strategy = 'key', j.strategy_reason," \
	" j.key_columns, j.settings, j.lanes, j.batch_rows, j.batch_ms, j.\"window\"," \
	" j.not_before, j.priority, j.max_bad_rows, j.max_lag, j.max_wal_rate, j.duty," \
	" j.hold_when, j.vacuum_analyze, j.submitted_by, j.submitted_by_oid, j.submitted_in," \
	" j.database, j.run_as, j.run_as_oid, j.xmin"

extern PgmJob *pgm_store_read_job(int row);
extern void pgm_store_notify_state(int64 id, const char *name, PgmJobState state,
								   const char *reason);

#endif							/* PGM_JOB_ROW_H */
