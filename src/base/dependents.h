/*-------------------------------------------------------------------------
 *
 * dependents.h
 *	  What hangs on a column.
 *
 * IDENTIFICATION
 *	  src/base/dependents.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_DEPENDENTS_H
#define PGM_DEPENDENTS_H

#include "access/attnum.h"
#include "nodes/pg_list.h"

typedef struct PgmDependents
{
	Oid			relid;
	AttrNumber	attnum;
	List	   *indexes;		/* OIDs, without those of constraints */
	List	   *constraints;	/* OIDs, also of tables that refer to the
								 * column */
	List	   *statistics;		/* OIDs of extended statistics */
	List	   *sequences;		/* OIDs, of those that it owns */
	char	   *obstacle;		/* what cannot move to another column, in
								 * words, or NULL */
	List	   *partitions;		/* of PgmDependents *, what hangs on the
								 * column of each partition, those above first */
} PgmDependents;

extern char *pgm_dependents_stand_in(const char *name);
extern char *pgm_dependents_not_null(const char *column);
extern PgmDependents *pgm_dependents_find(Oid relid, AttrNumber attnum);
extern List *pgm_dependents_all(PgmDependents *found);
extern bool pgm_dependents_is_inherited(Oid constraint);
extern Oid	pgm_dependents_other_table(const PgmDependents *found, Oid constraint);

#endif							/* PGM_DEPENDENTS_H */
