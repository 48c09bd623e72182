/*-------------------------------------------------------------------------
 *
 * types.h
 *	  Words that every room uses: what kinds of migration there are, what
 *	  states they have, and how these are spelled in tables and scripts.
 *
 * IDENTIFICATION
 *	  src/base/types.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_TYPES_H
#define PGM_TYPES_H

/* In the order in which the kinds are applied. */
typedef enum PgmKind
{
	PGM_KIND_VERSIONED,			/* runs once */
	PGM_KIND_REPEATABLE,		/* runs again when its script changes */
	PGM_KIND_SEED				/* the same, for data, after all others */
} PgmKind;

typedef enum PgmState
{
	PGM_STATE_PENDING,
	PGM_STATE_APPLIED,
	PGM_STATE_ROLLED_BACK		/* pending again, after having been applied */
} PgmState;

/* Of a backfill; those from PGM_JOB_DONE on are final. */
typedef enum PgmJobState
{
	PGM_JOB_QUEUED,				/* no worker has begun yet */
	PGM_JOB_RUNNING,
	PGM_JOB_PAUSED,				/* by a user */
	PGM_JOB_SUSPENDED,			/* by us: crashes, or another cluster */
	PGM_JOB_FAILED,
	PGM_JOB_DONE,
	PGM_JOB_CANCELLED
} PgmJobState;

extern const char *pgm_kind_name(PgmKind kind);
extern PgmKind pgm_kind_parse(const char *name);
extern const char *pgm_state_name(PgmState state);
extern PgmState pgm_state_parse(const char *name);
extern const char *pgm_job_state_name(PgmJobState state);
extern PgmJobState pgm_job_state_parse(const char *name);

#endif							/* PGM_TYPES_H */
