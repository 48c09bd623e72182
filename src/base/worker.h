/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  Starting background workers, and telling them things at commit.
 *
 * IDENTIFICATION
 *	  src/base/worker.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_WORKER_H
#define PGM_WORKER_H

/* What a worker is told by who starts it. */
typedef struct PgmWorkerArgs
{
	Oid			database;
	Oid			role;			/* to connect as; InvalidOid: no role */
	int64		job;			/* backfill or run, 0 if none */
	bool		is_run;
	bool		pinned;			/* connects as superuser and acts as "role" */
} PgmWorkerArgs;

extern bool pgm_worker_start(const char *function, const char *type, const PgmWorkerArgs *args);
extern bool pgm_worker_start_job(const PgmWorkerArgs *args);
extern bool pgm_worker_can_be(Oid role, bool *pinned);
extern const PgmWorkerArgs *pgm_worker_args(void);

extern void pgm_worker_start_at_commit(int64 job, Oid role, bool pinned);
extern void pgm_worker_wake_at_commit(int64 job);
extern void pgm_worker_stop_at_commit(int64 job);
extern void pgm_worker_cancel_at_commit(int64 job);

extern void pgm_worker_start_run_at_commit(int64 run, Oid role, bool pinned);
extern void pgm_worker_wake_run_at_commit(int64 run);
extern void pgm_worker_stop_run_at_commit(int64 run);

#endif							/* PGM_WORKER_H */
