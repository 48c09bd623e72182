/*-------------------------------------------------------------------------
 *
 * table_pair.h
 *	  Rows of migrate.table_pair in and out.
 *
 * IDENTIFICATION
 *	  src/store/table_pair.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_STORE_TABLE_PAIR_H
#define PGM_STORE_TABLE_PAIR_H

#include "nodes/pg_list.h"

/* A row of migrate.table_pair; names of columns and expressions are char *. */
typedef struct PgmTablePair
{
	int64		id;
	bool		here;			/* was it made in this database of this
								 * cluster? */
	Oid			relid;			/* the old table; good only if it is here */
	char	   *relation;		/* qualified and quoted, when it was made */
	Oid			new_relid;
	char	   *new_relation;
	List	   *old_columns;	/* all that the old table had */
	List	   *key;			/* of the old table */
	List	   *new_key;		/* a unique key of the new one */
	List	   *columns;		/* of the new table that are carried over */
	List	   *expressions;	/* what each of them is made of */
	List	   *settings;		/* names and values, see
								 * pgm_guc_save_meaning() */
	int64		job;			/* that copies the rows; 0 if none */
} PgmTablePair;

extern void pgm_store_insert_table_pair(PgmTablePair *pair);
extern PgmTablePair *pgm_store_fetch_table_pair(int64 id);
extern int64 pgm_store_find_table_pair(Oid relid);
extern void pgm_store_set_table_pair_job(int64 id, int64 job);
extern void pgm_store_delete_table_pair(int64 id);

#endif							/* PGM_STORE_TABLE_PAIR_H */
