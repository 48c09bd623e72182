/*-------------------------------------------------------------------------
 *
 * built.h
 *	  What is built on a column, and what stands in for it on another one.
 *
 * IDENTIFICATION
 *	  src/swap/built.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_SWAP_BUILT_H
#define PGM_SWAP_BUILT_H

#include "nodes/pg_list.h"

/* An index, with its constraint if it has one. */
typedef struct PgmBuiltKey
{
	char	   *name;			/* that the stand-in is to have */
	Oid			stand_in;
	char	   *comment;		/* or NULL */
	char		contype;		/* of its constraint, or '\0' */
	char	   *definition;		/* of a constraint that has to be made, since
								 * the table is partitioned */
	char	   *parent;			/* of a partition: index of the table above
								 * that it belongs to, or NULL */
	char	   *constraint_comment; /* or NULL */
	bool		clustered;
	bool		replica_identity;
} PgmBuiltKey;

/* Another constraint. */
typedef struct PgmBuiltCheck
{
	Oid			relid;
	char	   *name;
	char	   *stand_in_name;
	bool		gives_name;		/* to its stand-in */
	Oid			stand_in;
	bool		refers_here;	/* foreign key that refers to the column */
	bool		inherited;		/* does its name come from the table above? */
	char	   *definition;		/* of one that has to be made, or NULL */
	char	   *comment;		/* or NULL */
} PgmBuiltCheck;

/* A statistics object. */
typedef struct PgmBuiltStatistics
{
	char	   *name;
	Oid			namespace;
	char	   *definition;
	char	   *comment;		/* or NULL */
} PgmBuiltStatistics;

#endif							/* PGM_SWAP_BUILT_H */
