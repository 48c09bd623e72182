/*-------------------------------------------------------------------------
 *
 * next_window.c
 *	  migrate.next_window(): when an off-peak window opens
 *
 * IDENTIFICATION
 *	  src/api/next_window.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "backfill/window.h"
#include "base/args.h"

PG_FUNCTION_INFO_V1(pgmigrate_next_window);

/*
 * migrate.next_window("window" text, at timestamptz DEFAULT now())
 *
 * The time given if the window is open then, else when it opens next.
 */
Datum
pgmigrate_next_window(PG_FUNCTION_ARGS)
{
	char	   *rules;
	char	   *problem;
	PgmWindow  *window;

	pgm_args_check_count(fcinfo, 2);
	rules = pgm_args_text(fcinfo, 0, "window");
	pgm_args_not_null(fcinfo, 1, "at");

	window = pgm_window_parse(rules, session_timezone, &problem);
	if (window == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid window: \"%s\"", rules),
				 errdetail("The problem is that %s.", problem),
				 errhint("A window looks like \"%s\".", PGM_WINDOW_EXAMPLE)));
	PG_RETURN_TIMESTAMPTZ(pgm_window_next(window, PG_GETARG_TIMESTAMPTZ(1)));
}
