/*-------------------------------------------------------------------------
 *
 * look.c
 *	  Parts of a script that only look: check and verify.
 *
 * They run read-only in a subtransaction that is always rolled back, so that
 * whatever they call, nothing stays behind.
 *
 * IDENTIFICATION
 *	  src/exec/look.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"
#include "exec/exec.h"

typedef struct Look
{
	PgmExecution *execution;
	PgmPart		part;
} Look;

static void
look(void *arg)
{
	Look	   *self = (Look *) arg;

	(void) set_config_option("transaction_read_only", "on",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
	pgm_execute_part(self->execution, self->part);
}

/*
 * Run a part that only looks, if there is one.  Throws what it throws.
 */
void
pgm_look(PgmExecution *execution, PgmPart part)
{
	Look		self = {execution, part};
	const bool	keep = false;
	ErrorData  *error;

	if (!execution->script->parts[part].present)
		return;
	error = pgm_subxact_run(look, &self, keep);
	if (error != NULL)
		ReThrowError(error);
}
