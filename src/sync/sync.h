/*-------------------------------------------------------------------------
 *
 * sync.h
 *	  Columns that are kept in step by a trigger.
 *
 * IDENTIFICATION
 *	  src/sync/sync.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_SYNC_H
#define PGM_SYNC_H

#include "datatype/timestamp.h"
#include "executor/execExpr.h"
#include "fmgr.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "nodes/primnodes.h"
#include "storage/block.h"
#include "utils/relcache.h"

#include "store/sync.h"
#include "sync/prepared.h"

/* Fires after the other triggers of a table, which go by their names. */
#define PGM_SYNC_TRIGGER	"zzz_pgmigrate_sync"

/* What this session has noted of a side of a pair. */
typedef struct PgmSyncNote
{
	TimestampTz at;				/* when it did so last that it writes it, or 0 */
	int			level;			/* of nested transactions, if the one at hand
								 * did so; else 0 */
} PgmSyncNote;

/* The same of both sides, the old one first. */
typedef struct PgmSyncNoted
{
	struct
	{
		int64		pair;
		int64		table;		/* that the pair is in: an extension that is
								 * made anew begins with the same numbers */
	}			key;
	PgmSyncNote side[2];
} PgmSyncNoted;

/* A pair, prepared for a table with storage: numbers and types are that table's. */
typedef struct PgmSyncPair
{
	int64		id;
	char	   *target_name;
	AttrNumber	target;
	AttrNumber	source;			/* what "down" is for; 0 without it */
	AttrNumber *sources;
	int			nsources;
	AttrNumber *inputs;			/* the old columns, and what else "up" reads */
	int			ninputs;
	Expr	   *up;
	Expr	   *down;			/* or NULL */
	Bitmapset  *down_reads;		/* columns, by their numbers */
	List	   *settings;		/* what to evaluate them under; NIL: anything */

	/*
	 * What the old column, if it is one, has if an INSERT does not mention
	 * it: one of these expressions; or there is no telling.
	 */
	List	   *defaults;
	bool		default_unknown;

	PgmSyncNoted *noted;
} PgmSyncPair;

/* All pairs of a table. */
typedef struct PgmSyncTable
{
	PgmPrepared prepared;
	bool		plain;			/* expressions that are ready stay so */
	bool		harmless;		/* and it does not matter who evaluates them */
	struct PgmSyncStatement *idle;	/* of a statement that has ended, or NULL */
	int			npairs;
	PgmSyncPair *pairs;
	AttrNumber	last;			/* highest column that matters */
	bool		has_settings;	/* some pair */
	bool		alone;			/* no other trigger changes rows before an
								 * UPDATE */
} PgmSyncTable;

/* What pgm_sync_enter_owner() changed. */
typedef struct PgmSyncScope
{
	Oid			userid;
	int			sec_context;
	int			guc_level;		/* 0: none */
} PgmSyncScope;

/* expression.c */
extern Node *pgm_sync_parse(Relation rel, const char *alias, const char *column,
							const char *text);
extern Node *pgm_sync_parse_for(Relation rel, const char *alias, Form_pg_attribute att,
								const char *text);
extern void pgm_sync_check(Relation rel, const char *what, const char *column, Node *expr);
extern char *pgm_sync_deparse(Relation rel, Node *expr);
extern bool pgm_sync_runs_users_code(Node *expr);
extern bool pgm_sync_is_plain(Node *expr);
extern List *pgm_sync_settings(List *settings, Node *up, Node *down);
extern void pgm_sync_enter_owner(Relation rel, bool new_level, PgmSyncScope *scope);
extern void pgm_sync_leave_owner(PgmSyncScope *scope);

/* cache.c */
extern PgmSyncTable *pgm_sync_table(Relation rel, int64 sync);
extern PgmSyncTable *pgm_sync_table_for(Relation rel, const Trigger *trigger);
extern void pgm_sync_release(PgmSyncTable *table);

/* use.c */
extern PgmSyncNoted *pgm_sync_noted(int64 pair);

/* check.c */
extern List *pgm_sync_save_settings(void);
extern PgmPair *pgm_sync_make_pair(Relation rel, List *source, const char *target,
								   const char *up, const char *down, List **reads);
extern int64 pgm_sync_check_others(Relation rel, const PgmPair *pair, List *reads,
								   List *others);
extern void pgm_sync_check_not_read(Relation rel, int64 number, const char *target);

/* pair.c */
extern int64 pgm_sync_number(Relation rel);
extern int64 pgm_sync_begin(Oid relid, List *source, const char *target, const char *up,
							const char *down);
extern bool pgm_sync_end(Oid relid, const char *target);

extern List *pgm_sync_pairs(Oid relid, const char *target);
extern List *pgm_sync_pairs_reading(Oid relid, const char *column);

/* verify.c */
typedef struct PgmDifference
{
	char	   *key;
	char	   *old_value;		/* or NULL */
	char	   *new_value;		/* or NULL */
	char	   *up_value;		/* or NULL */
} PgmDifference;

/* What to look for, and what to do with it. */
typedef struct PgmVerification
{
	int			limit;			/* so many rows at most */
	BlockNumber from;			/* pages of each table, */
	BlockNumber to;				/* without this one; InvalidBlockNumber: all */
	void		(*found) (const PgmDifference *difference, void *arg);
	void	   *arg;
} PgmVerification;

extern void pgm_sync_verify(const PgmPair *pair, Oid relid, const PgmVerification *wanted);

/* heir.c */
extern PgmPair *pgm_sync_heir(List *pairs, const char *column);
extern char *pgm_sync_heir_default(Oid relid, const PgmPair *pair, bool *known);

/* trigger.c */
extern Datum pgm_sync_fire(FunctionCallInfo fcinfo);

#endif							/* PGM_SYNC_H */
