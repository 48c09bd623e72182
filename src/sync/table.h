/*-------------------------------------------------------------------------
 *
 * table.h
 *	  Tables whose rows and writes are carried over to others.
 *
 * IDENTIFICATION
 *	  src/sync/table.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_SYNC_TABLE_H
#define PGM_SYNC_TABLE_H

#include "executor/spi.h"

#include "store/table_pair.h"
#include "sync/sync.h"

/* The triggers of the old table. */
#define PGM_CARRY_TRIGGER		"zzz_pgmigrate_carry"
#define PGM_TRUNCATE_TRIGGER	"zzz_pgmigrate_truncate"

/* A column of the new table, and what it is to be made of. */
typedef struct PgmCarried
{
	char	   *column;
	char	   *expression;		/* NULL: it is not carried over */
} PgmCarried;

/* A statement, prepared for the session. */
typedef struct PgmCarryPlan
{
	char	   *sql;
	int			nargs;
	Oid		   *types;
	SPIPlanPtr	plan;
} PgmCarryPlan;

/* A pair of tables, prepared for the session. */
typedef struct PgmCarryTable
{
	PgmPrepared prepared;
	Oid			relid;
	Oid			new_relid;
	char	   *new_name;		/* qualified and quoted */
	AttrNumber *inputs;			/* columns of the old table that matter */
	int			ninputs;
	AttrNumber	last;			/* the highest of them */
	AttrNumber *key;
	int			nkey;
	Expr	  **made;			/* what the columns of the new table are made
								 * of */
	int			nmade;
	int		   *new_key;		/* those of its key among them */
	int			nnew_key;
	bool		pins;			/* has "drop" expressions in its text? */
	List	   *settings;		/* what to evaluate expressions under; NIL:
								 * pinned */
	PgmCarryPlan write;			/* columns: carry a row over */
	PgmCarryPlan put;			/* key: carry the row with it over */
	PgmCarryPlan drop;			/* new key, key: delete the row with it */
} PgmCarryTable;

/* table_check.c */
extern AttrNumber pgm_table_image_of(Node *expr);
extern PgmTablePair *pgm_table_make_pair(Relation rel, Relation new, List *carried,
										 List *keys, List *new_keys);

/* table_sql.c */
extern int	pgm_table_index_of(List *names, const char *name);
extern char *pgm_table_expression_of(const PgmTablePair *pair, const char *column);
extern char *pgm_table_type(Oid relid, const char *column);
extern char *pgm_table_equals(Oid relid, const char *column, Oid other, const char *other_column);
extern char *pgm_table_copy_sql(const PgmTablePair *pair);
extern void pgm_table_write_sql(const PgmTablePair *pair, Oid new_relid, PgmCarryPlan *plan);
extern void pgm_table_put_sql(const PgmTablePair *pair, Oid relid, Oid new_relid,
							  PgmCarryPlan *plan);
extern void pgm_table_drop_sql(const PgmTablePair *pair, Oid relid, Oid new_relid,
							   PgmCarryPlan *plan);

/* table_cache.c */
extern PgmCarryTable *pgm_table_get(Relation rel, const Trigger *trigger);
extern void pgm_table_release(PgmCarryTable *table);

/* table_trigger.c */
extern Datum pgm_table_fire(FunctionCallInfo fcinfo);

/* table_pair.c */
extern int64 pgm_table_begin(Oid relid, Oid new_relid, List *carried, List *keys, List *new_keys);
extern PgmTablePair *pgm_table_find(Oid relid);
extern Oid	pgm_table_new_relid(const PgmTablePair *pair, bool missing_ok);
extern void pgm_table_end(Oid relid, const PgmTablePair *pair);

/* table_verify.c */
typedef struct PgmTableDifference
{
	char	   *key;
	char	   *old_row;		/* or NULL */
	char	   *new_row;		/* or NULL */
} PgmTableDifference;

extern List *pgm_table_differences(const PgmTablePair *pair, Oid relid, int limit);

#endif							/* PGM_SYNC_TABLE_H */
