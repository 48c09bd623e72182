/*-------------------------------------------------------------------------
 *
 * estimate.c
 *	  migrate.estimate(): what a backfill would take
 *
 * IDENTIFICATION
 *	  src/api/estimate.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/limits.h"
#include "api/submit.h"
#include "backfill/estimate.h"
#include "base/args.h"
#include "base/guc.h"

PG_FUNCTION_INFO_V1(pgmigrate_estimate_job);
PG_FUNCTION_INFO_V1(pgmigrate_estimate_arguments);

static Datum
make_row(FunctionCallInfo fcinfo, const PgmJob *job, const PgmEstimate *estimate)
{
	TupleDesc	desc;
	Datum		values[7];
	bool		nulls[7] = {false};
	Interval   *duration = palloc0(sizeof(Interval));
	int			batch = job->batch_rows > 0 ? job->batch_rows : pgm_backfill_batch_rows;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	duration->time = (TimeOffset) (estimate->ms * 1000);
	values[0] = Int64GetDatum(estimate->rows);
	values[1] = IntervalPGetDatum(duration);
	values[2] = Int64GetDatum(estimate->wal_bytes);
	values[3] = CStringGetTextDatum(psprintf("RowExclusiveLock on %s, and up to %d rows at a time",
											 job->relation, batch));
	values[4] = CStringGetTextDatum(job->by_key ? "key" : "pages");
	values[5] = CStringGetTextDatum(job->strategy_reason);
	values[6] = Int64GetDatum(estimate->sampled);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * migrate.estimate(id bigint)
 */
Datum
pgmigrate_estimate_job(PG_FUNCTION_ARGS)
{
	const bool	for_update = true;
	PgmJob	   *job;
	PgmEstimate estimate;

	pgm_args_check_count(fcinfo, 1);
	PreventCommandIfReadOnly("migrate.estimate()");
	job = pgm_job_fetch(pgm_job_argument(fcinfo), !for_update);
	pgm_job_check_runner(job);
	LockRelationOid(job->relid, AccessShareLock);
	pgm_target_check(job->relid);
	estimate = pgm_estimate_job(job, pgm_target_leaves(job->relid));
	return make_row(fcinfo, job, &estimate);
}

/*
 * migrate.estimate(target regclass, assign text, filter text, strategy text,
 * key text[], "delete" boolean)
 *
 * As the role that the backfill would run as.
 */
Datum
pgmigrate_estimate_arguments(PG_FUNCTION_ARGS)
{
	PgmJob	   *job;
	PgmRoleScope scope;
	PgmEstimate estimate;
	List	   *leaves;

	pgm_args_check_count(fcinfo, 6);
	PreventCommandIfReadOnly("migrate.estimate()");
	job = pgm_submit_read(fcinfo, 0, 1, 2, 5);
	pgm_submit_enter_role(pgm_submit_choose_role(fcinfo, -1, job->relid), &scope);
	leaves = pgm_submit_check(fcinfo, job, 3, 4);
	estimate = pgm_estimate_job(job, leaves);
	pgm_submit_leave_role(&scope);
	return make_row(fcinfo, job, &estimate);
}
