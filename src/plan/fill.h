/*-------------------------------------------------------------------------
 *
 * fill.h
 *	  What a plan has to be told about backfills, which it knows nothing of.
 *
 * IDENTIFICATION
 *	  src/plan/fill.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_FILL_H
#define PGM_FILL_H

/*
 * Throws if migrate.backfill() would refuse to set that, or to delete rows if
 * "assign" is NULL; given by who knows.
 */
typedef void (*PgmCheckFill) (Oid relid, const char *assign, const char *filter);

/* online_rows.c */
extern PgmCheckFill pgm_online_check_fill_hook;

#endif							/* PGM_FILL_H */
