/*-------------------------------------------------------------------------
 *
 * table.h
 *	  A table in the place of another.
 *
 * IDENTIFICATION
 *	  src/swap/table.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_SWAP_TABLE_H
#define PGM_SWAP_TABLE_H

#include "nodes/pg_list.h"

/* A table and the one that is to have its name. */
typedef struct PgmTableSwap
{
	Oid			relid;
	Oid			new_relid;
	const char *keep;			/* what the old one is called then; NULL:
								 * name_old */
	List	   *columns;		/* of the old table, and ... */
	List	   *new_columns;	/* ... those of the new one that are just
								 * these */
} PgmTableSwap;

/* table.c */
extern List *pgm_swap_table_texts(const PgmTableSwap *swap, const char *query,
								  MemoryContext cxt);
extern List *pgm_swap_table_others(const PgmTableSwap *swap);
extern void pgm_swap_table_check(const PgmTableSwap *swap, bool force);
extern void pgm_swap_table(const PgmTableSwap *swap);

/* table_carry.c */
extern void pgm_swap_table_carry(const PgmTableSwap *swap);

#endif							/* PGM_SWAP_TABLE_H */
