/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  migrate.verify(): are applied migrations still what they promised?
 *
 * One row for each, whether it passed or not, so that one that fails does not
 * hide the others.
 *
 * IDENTIFICATION
 *	  src/api/verify.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "api/api.h"
#include "base/args.h"
#include "base/rights.h"
#include "exec/exec.h"
#include "plan/plan.h"

PG_FUNCTION_INFO_V1(pgmigrate_verify_one);
PG_FUNCTION_INFO_V1(pgmigrate_verify_all);

static void
put_row(FunctionCallInfo fcinfo, const char *name, const char *failure)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[3];
	bool		nulls[3] = {false, false, failure == NULL};

	values[0] = CStringGetTextDatum(name);
	values[1] = BoolGetDatum(failure == NULL);
	values[2] = failure == NULL ? (Datum) 0 : CStringGetTextDatum(failure);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* One migration, for pgm_subxact_run(). */
typedef struct Trial
{
	const PgmMigration *migration;
	PgmExecution execution;
	bool		has_part;		/* is there something to verify? */
} Trial;

static void
try_verify(void *arg)
{
	Trial	   *trial = (Trial *) arg;
	const PgmMigration *migration = trial->migration;

	trial->execution.script = pgm_api_read(migration);
	trial->has_part = trial->execution.script->parts[PGM_PART_VERIFY].present;
	if (!trial->has_part)
		return;
	pgm_rights_check_author(migration->name, &migration->author);
	trial->execution.confined = pgm_rights_must_confine(&migration->author);
	pgm_look(&trial->execution, PGM_PART_VERIFY);
}

/*
 * Why a migration does not pass, or NULL.  Also what the server cannot read any
 * more, after an upgrade say, does not pass.
 */
static char *
find_failure(Trial *trial)
{
	const bool	keep = false;
	ErrorData  *error = pgm_subxact_run(try_verify, trial, keep);
	const PgmStatement *statement = trial->execution.current;

	if (error == NULL)
		return NULL;
	if (pgm_subxact_must_stop(error))
		ReThrowError(error);
	trial->has_part = true;
	if (statement == NULL)
		return error->message;
	return psprintf("statement %d, line %d: %s", statement->number, statement->line,
					error->message);
}

/*
 * Verify one migration; false if it has nothing to verify.
 */
static bool
verify(FunctionCallInfo fcinfo, const PgmMigration *migration)
{
	Trial		trial = {.migration = migration,.has_part = true};
	char	   *failure = find_failure(&trial);

	if (trial.has_part)
		put_row(fcinfo, migration->name, failure);
	return trial.has_part;
}

/*
 * migrate.verify(name text)
 */
Datum
pgmigrate_verify_one(PG_FUNCTION_ARGS)
{
	const bool	for_update = false;
	char	   *name;
	PgmMigration *migration;

	pgm_args_check_count(fcinfo, 1);
	name = pgm_args_text(fcinfo, 0, "name");
	InitMaterializedSRF(fcinfo, 0);

	pgm_store_check_snapshot();
	migration = pgm_api_fetch(name, for_update);
	if (migration->state != PGM_STATE_APPLIED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" is not applied", name)));
	if (!verify(fcinfo, migration))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" has no verify part", name),
				 errhint("Verify what it did by a \"-- migrate:verify\" part of a later migration.")));
	return (Datum) 0;
}

/*
 * migrate.verify()
 */
Datum
pgmigrate_verify_all(PG_FUNCTION_ARGS)
{
	PgmGraph   *graph;
	MemoryContext work;

	pgm_args_check_count(fcinfo, 0);
	InitMaterializedSRF(fcinfo, 0);

	graph = pgm_queue_graph_for_run();
	work = AllocSetContextCreate(CurrentMemoryContext, "pgmigrate verify", ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < graph->ranked_count; i++)
	{
		const PgmNode *node = graph->ranked[i];
		const bool	for_update = false;
		PgmMigration *migration = NULL;
		MemoryContext caller = MemoryContextSwitchTo(work);

		CHECK_FOR_INTERRUPTS();
		if (node->applied)
			migration = pgm_store_fetch_migration(node->migration->name, for_update);
		if (migration != NULL)
			(void) verify(fcinfo, migration);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(work);
	}
	MemoryContextDelete(work);
	return (Datum) 0;
}
