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

#include "api/api.h"
#include "base/args.h"
#include "base/relation.h"
#include "online/online.h"

PG_FUNCTION_INFO_V1(pgmigrate_steps);

static void
put_line(FunctionCallInfo fcinfo, const List *rates, const PgmPlanStep *step,
		 const PgmPlanLine *line)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *kind = OidIsValid(step->filled) ? PGM_KIND_BACKFILL : line->kind;
	int64		bytes = pgm_plan_bytes(line->relid, step->hold, OidIsValid(step->filled));
	Datum		values[11] = {0};
	bool		nulls[11] = {false};

	values[0] = Int32GetDatum(step->statement->number);
	values[1] = Int32GetDatum(step->number);
	values[2] = Int32GetDatum(step->statement->line);
	values[3] = CStringGetTextDatum(kind);
	nulls[4] = nulls[5] = !OidIsValid(line->relid);
	nulls[7] = !OidIsValid(line->relid) || step->hold <= PGM_HOLD_UNKNOWN;
	if (OidIsValid(line->relid))
	{
		values[4] = CStringGetTextDatum(pgm_relation_name(line->relid));
		values[5] = CStringGetTextDatum(GetLockmodeName(DEFAULT_LOCKMETHOD, line->mode));
		values[7] = Int64GetDatum(bytes);
	}
	nulls[6] = pgm_online_hold_name(step->hold) == NULL;
	if (!nulls[6])
		values[6] = CStringGetTextDatum(pgm_online_hold_name(step->hold));
	pgm_api_put_duration(&values[8], &nulls[8], rates, kind, step->hold, bytes,
						 line == linitial(step->lines));
	nulls[9] = step->why == NULL;
	if (step->why != NULL)
		values[9] = CStringGetTextDatum(step->why);
	values[10] = CStringGetTextDatum(step->sql);
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
	List	   *rates;
	ListCell   *lc;
	ListCell   *line;

	pgm_args_check_count(fcinfo, 1);
	script = pgm_api_read_to_show(pgm_args_text(fcinfo, 0, "name"), &trusted);

	rates = pgm_store_fetch_rates();
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, pgm_online_plan(script, trusted))
	{
		PgmPlanStep *step = (PgmPlanStep *) lfirst(lc);

		foreach(line, step->lines)
			put_line(fcinfo, rates, step, (PgmPlanLine *) lfirst(line));
	}
	return (Datum) 0;
}
