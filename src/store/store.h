/*-------------------------------------------------------------------------
 *
 * store.h
 *	  Rows of migrate.* in and out.
 *
 * IDENTIFICATION
 *	  src/store/store.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_STORE_H
#define PGM_STORE_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "base/rights.h"
#include "base/types.h"

/* A row of migrate.migration. */
typedef struct PgmMigration
{
	char	   *name;
	PgmKind		kind;
	PgmState	state;
	char	   *script;			/* NULL in an overview */
	char	   *checksum;
	bool		conforming_strings;
	bool		transactional;
	List	   *requires;		/* of char * */
	List	   *conflicts;		/* of char * */
	char	   *description;	/* or NULL */
	char	   *source;			/* or NULL */
	PgmAuthor	author;
	int64		applied_run;	/* 0 if none */

	/* Of the run that applied it, in an overview only. */
	TimestampTz applied_at;
	char	   *applied_by;		/* or NULL */
	double		duration_ms;

	/* Of its run that has not ended, in an overview only. */
	char	   *run_state;		/* NULL if there is none */
	char	   *run_reason;
} PgmMigration;

/* A row of migrate.run; what the session is, the store knows itself. */
typedef struct PgmRun
{
	const char *migration;		/* or NULL */
	const char *action;
	TimestampTz started_at;
	TimestampTz finished_at;	/* 0 if it has only begun */
	double		lock_wait_ms;
	int64		rows;
	int64		wal_bytes;
	int			tries;
	const char *checksum;		/* or NULL */
	const char *note;			/* or NULL */
	List	   *statements;		/* of PgmRunStatement * */
} PgmRun;

/* A row of migrate.run_statement. */
typedef struct PgmRunStatement
{
	const char *part;
	int			number;
	int			line;
	const char *command;
	double		duration_ms;
	int64		rows;
	int64		wal_bytes;
	char	   *sql;
} PgmRunStatement;

/* A backfill that sets columns and has not ended, and what is being filled. */
typedef struct PgmOpenFill
{
	char	   *backfill;
	char	   *state;
	Oid			relid;
	List	   *columns;		/* of char *: those that it sets */
	List	   *source;			/* of char *: the old side of a pair, NIL if
								 * it is of none */
	int64		run;			/* online run that it is a step of, or 0 */
	char	   *migration;		/* of that run, or NULL */

	/* Set by pgm_plan_need(). */
	const char *named;			/* column that a statement has to wait for */
	bool		is_source;		/* is it of the old side? */
} PgmOpenFill;

/* migration.c */
extern PgmMigration *pgm_store_fetch_migration(const char *name, bool for_update);
extern PgmMigration **pgm_store_fetch_overview(int *count);
extern void pgm_store_report_unknown(const char *name);
extern void pgm_store_report_gone(const char *name);
extern void pgm_store_check_snapshot(void);
extern void pgm_store_insert_migration(const PgmMigration *migration);
extern void pgm_store_replace_migration(const PgmMigration *migration);
extern void pgm_store_set_author(const char *name, const PgmAuthor *author);
extern void pgm_store_delete_migration(const char *name);
extern void pgm_store_set_state(const char *name, PgmState state, int64 run_id);

/* run.c */
extern int64 pgm_store_insert_run(const PgmRun *run);
extern void pgm_store_add_run_statements(int64 run);
extern List *pgm_store_describe_failure(const PgmRun *run, const char *sqlstate, const char *error);
extern void pgm_store_insert_failed_run(List *failure);

/* queue.c */
extern List *pgm_store_fetch_fills(void);

#endif							/* PGM_STORE_H */
