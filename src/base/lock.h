/*-------------------------------------------------------------------------
 *
 * lock.h
 *	  Locks that are taken without standing in line, and who is in the way.
 *
 * IDENTIFICATION
 *	  src/base/lock.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_LOCK_H
#define PGM_LOCK_H

#include "nodes/pg_list.h"
#include "storage/lock.h"
#include "utils/array.h"

/* What to do about a lock that was not to be had. */
#define PGM_LOCK_HINT \
	"End the sessions in the way, or try again later; pgmigrate.lock_retries sets how often that is done by itself."

/* The same, where the transaction has locks that it cannot give back. */
#define PGM_LOCK_HELD_HINT \
	"The transaction holds locks already, so it does not wait for more. Use a transaction of its own for each call, or one call of migrate.apply_all()."

extern char *pgm_lock_blockers(const LOCKTAG *tag, LOCKMODE mode);
extern ArrayType *pgm_lock_conflicting_pids(const LOCKTAG *tag, LOCKMODE mode);
extern void pgm_lock_relation(Oid relid, LOCKMODE mode);
extern bool pgm_lock_refused(LOCKTAG *tag, LOCKMODE *mode);
extern void pgm_lock_trees(List *relids, LOCKMODE mode);
extern void pgm_lock_tree(Oid relid, LOCKMODE mode);
extern bool pgm_lock_holds_strong(void);

extern void pgm_lock_pin_watch_begin(int interval_ms);
extern void pgm_lock_pin_watch_end(void);
extern bool pgm_lock_pin_watch_fired(void);
extern void pgm_lock_watch_begin(int interval_ms);
extern void pgm_lock_watch_reset(void);
extern void pgm_lock_watch_end(void);
extern char *pgm_lock_watch_blockers(void);

/* unblock.c */
extern void pgm_unblock(int idle_ms);

#endif							/* PGM_LOCK_H */
