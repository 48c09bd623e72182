/*-------------------------------------------------------------------------
 *
 * swap.h
 *	  One column in the place of another.
 *
 * IDENTIFICATION
 *	  src/swap/swap.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_SWAP_H
#define PGM_SWAP_H

#include "base/dependents.h"

/* A swap; texts of tables are quoted and qualified, other names as they are. */
typedef struct PgmSwap
{
	Oid			relid;
	const char *table;
	const char *column;
	AttrNumber	attnum;
	const char *shadow;			/* the column that takes its place */
	AttrNumber	shadow_attnum;
	PgmDependents *found;
	List	   *keys;			/* indexes, and constraints with one */
	List	   *constraints;	/* other ones */
	List	   *statistics;
	char	   *default_value;	/* or NULL */
	char	   *comment;		/* or NULL */
	bool		identity;
} PgmSwap;

/* swap.c */
extern void pgm_swap_column(Oid relid, const char *column, const char *shadow);
extern void pgm_swap_run(const char *format,...) pg_attribute_printf(1, 2);

/* carry.c */
extern void pgm_swap_carry_before(PgmSwap *swap);
extern void pgm_swap_carry_after(PgmSwap *swap);

/* built.c */
extern void pgm_swap_report_missing(const PgmSwap *swap, const char *kind, const char *name,
									const char *stand_in);
extern bool pgm_swap_is_valid(Oid constraint);
extern void pgm_swap_find_built(PgmSwap *swap);
extern void pgm_swap_drop_references(PgmSwap *swap);
extern void pgm_swap_put_built(PgmSwap *swap);

#endif							/* PGM_SWAP_H */
