/*-------------------------------------------------------------------------
 *
 * key.h
 *	  Ranges of keys.  A key is a list of strings, NIL before the first one.
 *
 * IDENTIFICATION
 *	  src/backfill/key.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_KEY_H
#define PGM_KEY_H

#include "backfill/lane.h"

extern int	pgm_key_run_range(PgmLane *lane, List *from, List *to);
extern int	pgm_key_run_one(PgmLane *lane, List *key);
extern List *pgm_key_list(PgmLane *lane, List *from, List *to);
extern bool pgm_key_find_place(PgmLane *lane, List *key, ItemPointer place);
extern TransactionId pgm_key_describe(PgmLane *lane, ItemPointer place, char **key);

#endif							/* PGM_KEY_H */
