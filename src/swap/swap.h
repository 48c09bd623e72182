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

/* Something of the old column that the new one has no counterpart of. */
typedef struct PgmMissing
{
	Oid			relid;			/* table that it is on */
	char	   *what;			/* in words */
	char	   *command;		/* that makes one; NULL: there is none */
} PgmMissing;

/* What hangs on the old column, as it would be on the new one. */
typedef struct PgmWords
{
	Oid			object;
	char	   *text;
} PgmWords;

/*
 * A swap in one table, perhaps a partition of the one that it is about; texts of
 * tables are quoted and qualified, other names as they are.
 */
typedef struct PgmSwap
{
	Oid			relid;
	const char *table;
	const char *all;			/* the table for commands that do it to its
								 * partitions too */
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

	/*
	 * In a contraction: users have built what they want on the new column, so
	 * it is known by what it is as well as by its name, and what is missing
	 * is noted, not an error.
	 */
	bool		by_content;
	List	   *words;			/* of PgmWords * */
	PgmDependents *shadow_found;
	List	   *missing;		/* of PgmMissing * */
} PgmSwap;

/* The end of an expansion. */
typedef struct PgmContraction
{
	Oid			relid;
	const char *column;
	const char *heir;			/* that takes its place; NULL: none does */
	bool		take_name;		/* of the column */
	List	   *swaps;			/* of PgmSwap *, for each table, the top first */

	/*
	 * default of the heir in a table, or NULL; sets "known" to false if none
	 * can be made
	 */
	char	   *(*heir_default) (Oid relid, void *arg, bool *known);
	void	   *arg;
} PgmContraction;

/* swap.c */
extern void pgm_swap_column(Oid relid, const char *column, const char *shadow);
extern void pgm_swap_run(const char *format,...) pg_attribute_printf(1, 2);
extern void pgm_swap_note_missing(PgmSwap *swap, Oid relid, char *what, char *command);

/* contract.c */
extern List *pgm_swap_find_missing(PgmContraction *contraction);
extern List *pgm_swap_others(const PgmContraction *contraction);
extern void pgm_swap_make_missing(List *missing);
extern void pgm_swap_contract(PgmContraction *contraction);

/* words.c */
extern char *pgm_swap_index_words(Oid index);
extern char *pgm_swap_constraint_words(Oid constraint);
extern char *pgm_swap_key_definition(Oid index);
extern void pgm_swap_read_words(List *swaps);
extern const char *pgm_swap_words_of(const PgmSwap *swap, Oid object);

/* carry.c */
extern bool pgm_swap_is_not_null(const PgmSwap *swap, AttrNumber attnum);
extern bool pgm_swap_has_default(const PgmSwap *swap, AttrNumber attnum);
extern bool pgm_swap_cannot_be_identity(const PgmSwap *swap);
extern void pgm_swap_carry_before(PgmSwap *swap);
extern void pgm_swap_carry_after(PgmSwap *swap);

/* built.c */
extern void pgm_swap_report_missing(const PgmSwap *swap, const char *kind, const char *name,
									const char *stand_in);
extern bool pgm_swap_is_valid(Oid constraint);
extern void pgm_swap_find_built(PgmSwap *swap);

/* put.c */
extern void pgm_swap_drop_references(PgmSwap *swap);
extern void pgm_swap_put_built(PgmSwap *swap);
extern void pgm_swap_put_duties(PgmSwap *swap);

#endif							/* PGM_SWAP_H */
