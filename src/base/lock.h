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

#include "storage/lock.h"

extern char *pgm_lock_blockers(const LOCKTAG *tag, LOCKMODE mode);
extern void pgm_lock_relation(Oid relid, LOCKMODE mode);
extern bool pgm_lock_holds_strong(void);

extern void pgm_lock_watch_begin(int interval_ms);
extern void pgm_lock_watch_reset(void);
extern void pgm_lock_watch_end(void);
extern char *pgm_lock_watch_blockers(void);

#endif							/* PGM_LOCK_H */
