/*-------------------------------------------------------------------------
 *
 * version.h
 *	  Schemas of views that show tables in the shape before or after expansions.
 *
 * IDENTIFICATION
 *	  src/sync/version.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_SYNC_VERSION_H
#define PGM_SYNC_VERSION_H

#include "nodes/pg_list.h"

/* A version to be made. */
typedef struct PgmVersion
{
	const char *name;			/* of the schema */
	bool		is_new;			/* shape */
	List	   *relids;
	List	   *show;			/* of char *: old columns that are shown all
								 * the same */
} PgmVersion;

/* A column of a table, and one that is the same, of a view for instance. */
typedef struct PgmShownColumn
{
	char	   *column;			/* of the table */
	char	   *shown;			/* name of the other one */
} PgmShownColumn;

/* rights.c */
extern void pgm_sync_copy_rights(Oid relid, List *columns, const char *object,
								 const char *schema);

/* version.c */
extern void pgm_version_create(const PgmVersion *version);
extern List *pgm_version_views(const char *name);
extern List *pgm_version_views_with(Oid relid, const char *column);
extern void pgm_version_drop(const char *name, List *views);
extern void pgm_version_drop_views(List *views);

#endif							/* PGM_SYNC_VERSION_H */
