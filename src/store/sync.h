/*-------------------------------------------------------------------------
 *
 * sync.h
 *	  Rows of migrate.sync_pair in and out.
 *
 * IDENTIFICATION
 *	  src/store/sync.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_STORE_SYNC_H
#define PGM_STORE_SYNC_H

#include "nodes/pg_list.h"

#include "base/query.h"

/* A row of migrate.sync_pair. */
typedef struct PgmPair
{
	int64		id;
	int64		sync;			/* 0 when inserted: becomes the id */
	Oid			relid;
	char	   *relation;		/* qualified and quoted, when it was made */
	List	   *source;			/* of char * */
	char	   *target;
	char	   *up;
	char	   *down;			/* or NULL */
	List	   *settings;		/* names and values, see
								 * pgm_guc_save_meaning() */
	int64		job;			/* that fills the new side; 0 if none */
	char	   *becomes;		/* what that is called in the end, if not
								 * "target", or NULL */
} PgmPair;

extern void pgm_store_forget_gone(PgmQuery *query);
extern void pgm_store_insert_pair(PgmPair *pair);
extern List *pgm_store_fetch_pairs(int64 sync);
extern void pgm_store_set_expansion(int64 id, int64 job, const char *becomes);
extern void pgm_store_note_use(int64 pair, bool new_side);
extern char *pgm_store_recent_use(int64 pair, int seconds);
extern int64 pgm_store_find_sync(Oid relid);
extern void pgm_store_delete_pair(int64 id);

#endif							/* PGM_STORE_SYNC_H */
