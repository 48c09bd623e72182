/*-------------------------------------------------------------------------
 *
 * api.h
 *	  What the SQL-callable functions share.
 *
 * IDENTIFICATION
 *	  src/api/api.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_API_H
#define PGM_API_H

#include "plan/plan.h"
#include "script/script.h"
#include "store/store.h"

/* api.c */
extern PgmMigration *pgm_api_fetch(const char *name, bool for_update);
extern PgmScript *pgm_api_read(const PgmMigration *migration);
extern PgmScript *pgm_api_read_to_show(const char *name, bool *trusted);

extern void pgm_api_put_duration(Datum *value, bool *isnull, const List *rates, const char *kind,
								 PgmHold hold, int64 bytes, bool first);

/* register.c */
extern const char *pgm_register_script(const char *name, const char *text, const char *checksum,
									   const char *description, const char *source);

#endif							/* PGM_API_H */
