/*-------------------------------------------------------------------------
 *
 * compensate.c
 *	  migrate.compensate(): an audited repair of data
 *
 * IDENTIFICATION
 *	  src/api/compensate.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "parser/parser.h"
#include "tcop/utility.h"

#include "atomic/atomic.h"
#include "base/args.h"
#include "base/extension.h"
#include "plan/plan.h"

PG_FUNCTION_INFO_V1(pgmigrate_compensate);

/*
 * migrate.compensate(reason text, script text)
 */
Datum
pgmigrate_compensate(PG_FUNCTION_ARGS)
{
	PgmJob		job = {.action = PGM_ACTION_COMPENSATE};
	char	   *text;
	PgmScript  *script;

	pgm_args_check_count(fcinfo, 2);
	PreventCommandIfReadOnly("migrate.compensate()");
	job.note = pgm_args_text(fcinfo, 0, "reason");
	text = pgm_args_text(fcinfo, 1, "script");

	script = pgm_script_read(NULL, text, standard_conforming_strings);
	for (int part = 0; part < PGM_PART_COUNT; part++)
		(void) pgm_script_statements(script, part);
	pgm_classify_check_part(script, PGM_PART_UP);
	job.script = script;
	pgm_atomic_run(list_make1(&job), pgm_extension_lock());
	PG_RETURN_INT64(job.run_id);
}
