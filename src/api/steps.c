/*-------------------------------------------------------------------------
 *
 * steps.c
 *	  migrate.steps(): a migration as steps that hold nobody up
 *
 * IDENTIFICATION
 *	  src/api/steps.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "api/api.h"
#include "base/args.h"
#include "base/relation.h"
#include "online/online.h"

PG_FUNCTION_INFO_V1(pgmigrate_steps);

/* Bytes that are read or written meanwhile; 0 where that is no matter of size. */
static int64
bytes_of(const PgmPlanStep *step, Oid relid)
{
	if (step->hold < PGM_HOLD_SCAN)
		return 0;
	return DatumGetInt64(DirectFunctionCall1(pg_table_size, ObjectIdGetDatum(relid)));
}

static void
put_line(FunctionCallInfo fcinfo, const PgmPlanStep *step, const PgmPlanLine *line)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[10] = {0};
	bool		nulls[10] = {false};

	values[0] = Int32GetDatum(step->statement->number);
	values[1] = Int32GetDatum(step->number);
	values[2] = Int32GetDatum(step->statement->line);
	values[3] = CStringGetTextDatum(OidIsValid(step->filled) ? PGM_KIND_BACKFILL : line->kind);
	nulls[4] = nulls[5] = nulls[7] = !OidIsValid(line->relid);
	if (OidIsValid(line->relid))
	{
		values[4] = CStringGetTextDatum(pgm_relation_name(line->relid));
		values[5] = CStringGetTextDatum(GetLockmodeName(DEFAULT_LOCKMETHOD, line->mode));
		values[7] = Int64GetDatum(bytes_of(step, line->relid));
	}
	nulls[6] = pgm_online_hold_name(step->hold) == NULL;
	if (!nulls[6])
		values[6] = CStringGetTextDatum(pgm_online_hold_name(step->hold));
	nulls[8] = step->why == NULL;
	if (step->why != NULL)
		values[8] = CStringGetTextDatum(step->why);
	values[9] = CStringGetTextDatum(step->sql);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * migrate.steps(name text)
 */
Datum
pgmigrate_steps(PG_FUNCTION_ARGS)
{
	bool		trusted;
	PgmScript  *script;
	ListCell   *lc;
	ListCell   *line;

	pgm_args_check_count(fcinfo, 1);
	script = pgm_api_read_to_show(pgm_args_text(fcinfo, 0, "name"), &trusted);

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, pgm_online_plan(script, trusted))
	{
		PgmPlanStep *step = (PgmPlanStep *) lfirst(lc);

		foreach(line, step->lines)
			put_line(fcinfo, step, (PgmPlanLine *) lfirst(line));
	}
	return (Datum) 0;
}
