/*-------------------------------------------------------------------------
 *
 * version.h
 *	  Rows of migrate.schema_version in and out.
 *
 * IDENTIFICATION
 *	  src/store/version.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_STORE_VERSION_H
#define PGM_STORE_VERSION_H

#include "nodes/pg_list.h"

extern void pgm_store_insert_version(const char *name, const char *shape, List *relations,
									 List *syncs);
extern bool pgm_store_has_version(const char *name);
extern List *pgm_store_version_views(const char *name);
extern void pgm_store_remove_from_version(const char *name, const char *view);
extern void pgm_store_delete_version(const char *name);

#endif							/* PGM_STORE_VERSION_H */
