/*-------------------------------------------------------------------------
 *
 * lockset.h
 *	  The set of locks that a statement will take, for locks.c only.
 *
 * IDENTIFICATION
 *	  src/plan/lockset.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_LOCKSET_H
#define PGM_LOCKSET_H

#include "plan/plan.h"

extern void pgm_lockset_add(List **locks, Oid relid, LOCKMODE mode, bool allowed);
extern Oid	pgm_lockset_find(const RangeVar *relation);
extern Oid	pgm_lockset_add_named(List **locks, const RangeVar *relation, LOCKMODE mode, AclMode rights);
extern void pgm_lockset_add_children(List **locks, Oid relid, LOCKMODE mode);
extern void pgm_lockset_add_referenced(List **locks, Oid relid, const char *constraint,
									   AttrNumber attnum, LOCKMODE mode);
extern void pgm_lockset_add_referencing(List **locks, Oid relid, AttrNumber attnum, LOCKMODE mode);
extern void pgm_lockset_add_default_partition(List **locks, Oid parent, bool allowed);

/* alter_locks.c */
extern void pgm_lockset_add_targets(List **locks, List *constraints);
extern void pgm_locks_of_alter_table(List **locks, AlterTableStmt *stmt);

#endif							/* PGM_LOCKSET_H */
