/*-------------------------------------------------------------------------
 *
 * pgmigrate.c
 *	  Schema changes as migrations, kept and carried out by the server.
 *
 * Wiring only.  src/README.md says which room holds what.
 *
 * IDENTIFICATION
 *	  src/pgmigrate.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "base/guc.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	pgm_guc_define();
}
