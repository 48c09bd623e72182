/*-------------------------------------------------------------------------
 *
 * plan.h
 *	  What runs next, and what it will take.
 *
 * IDENTIFICATION
 *	  src/plan/plan.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_PLAN_H
#define PGM_PLAN_H

#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "storage/lockdefs.h"

#include "script/script.h"
#include "store/store.h"

/* A migration among the others. */
typedef struct PgmNode
{
	PgmMigration *migration;
	PgmKind		order_kind;		/* first of its own and its dependents' kinds */
	int			rank;			/* place in the order, or -1 behind a cycle */
	bool		applied;		/* or about to be, before the node at hand */
	bool		wanted;			/* does the call ask for it? */
	List	   *dependents;		/* nodes that require this one */
	List	   *rivals;			/* nodes that conflict with this one */
} PgmNode;

typedef struct PgmGraph
{
	int			count;
	PgmNode    *nodes;			/* in byte order of their names */
	PgmNode   **ranked;			/* in order, without those on cycles */
	int			ranked_count;
	PgmNode    *last_applied;	/* versioned one of highest rank, or NULL */
} PgmGraph;

typedef enum PgmProblem
{
	PGM_PROBLEM_NONE,
	PGM_PROBLEM_MISSING,		/* requires what is not registered */
	PGM_PROBLEM_CYCLE,			/* requires, in the end, what requires itself */
	PGM_PROBLEM_CONFLICT,		/* conflicts with what is applied */
	PGM_PROBLEM_OUT_OF_ORDER	/* sorts before what is applied */
} PgmProblem;

/* order.c */
extern PgmGraph *pgm_graph_build(PgmMigration **rows, int count);
extern PgmNode *pgm_graph_find(const PgmGraph *graph, const char *name);
extern PgmProblem pgm_graph_problem(const PgmGraph *graph, const PgmNode *node,
									const char **other);
extern char *pgm_graph_cycle(const PgmGraph *graph, const PgmNode *node);
extern List *pgm_graph_waits_for(const PgmGraph *graph, const PgmNode *node);

/* queue.c */
extern PgmGraph *pgm_queue_graph(void);
extern PgmGraph *pgm_queue_graph_for_run(void);
extern PgmNode *pgm_queue_find(const PgmGraph *graph, const char *name);
extern List *pgm_queue_one(PgmGraph *graph, PgmNode *node);
extern List *pgm_queue_all(PgmGraph *graph, PgmNode *last);
extern void pgm_queue_refuse_cycle(const PgmGraph *graph, const PgmNode *node);
extern void pgm_queue_check_undo(List *nodes);

/* classify.c */
extern bool pgm_classify_option(List *options, const char *name, bool fallback);
extern bool pgm_classify_option_is_given(List *options, const char *name);
extern bool pgm_classify_transactional(Node *stmt);
extern bool pgm_classify_script(const PgmScript *script);
extern void pgm_classify_check_part(const PgmScript *script, PgmPart part);

/* locks.c */
typedef struct PgmLock
{
	Oid			relid;
	LOCKMODE	mode;
	bool		allowed;		/* may the current user lock it so? */
} PgmLock;

extern List *pgm_locks_of(Node *stmt);

/* probe.c */
typedef struct PgmProbe PgmProbe;

typedef struct PgmProbeResult
{
	bool		known;			/* could the server be asked? */
	bool		rewrites;
	bool		scans;
} PgmProbeResult;

/* Who one was before acting as the owner of a table. */
typedef struct PgmOwnerRights
{
	Oid			userid;
	int			sec_context;
} PgmOwnerRights;

extern void pgm_probe_enter_owner(PgmOwnerRights *before, Oid owner);
extern void pgm_probe_leave_owner(const PgmOwnerRights *before);
extern PgmProbe *pgm_probe_create(void);
extern PgmProbeResult pgm_probe_statement(PgmProbe *probe, const PgmStatement *statement);

/* alter_effects.c */
extern const char *pgm_effects_serial_base(const ColumnDef *column);
extern bool pgm_effects_makes_sequence(const ColumnDef *column);
extern void pgm_effects_of_command(Oid relid, const AlterTableCmd *cmd,
								   bool *rewrites, bool *scans);

/* effects.c */
typedef enum PgmEffect
{
	PGM_EFFECT_NO,
	PGM_EFFECT_YES,
	PGM_EFFECT_UNKNOWN
} PgmEffect;

/* A statement and one relation that it locks; one line of a plan. */
typedef struct PgmPlanLine
{
	const PgmStatement *statement;
	const char *kind;			/* command tag */
	Oid			relid;			/* InvalidOid if it locks none that exists */
	LOCKMODE	mode;
	PgmEffect	rewrites;
	PgmEffect	scans;
	bool		transactional;
	bool		ask;			/* has the server to be asked? */
	struct PgmPlanLine *first;	/* line of the same statement's first relation */
} PgmPlanLine;

extern List *pgm_effects_of(const PgmScript *script, bool trusted);

/* How long the locks of a step are held, or what for. */
typedef enum PgmHold
{
	PGM_HOLD_FOUND,				/* to be found out */
	PGM_HOLD_UNKNOWN,
	PGM_HOLD_BRIEF,
	PGM_HOLD_WAIT,				/* until others have ended */
	PGM_HOLD_SCAN,
	PGM_HOLD_BUILD,
	PGM_HOLD_BATCHES,
	PGM_HOLD_REWRITE
} PgmHold;

/* duration.c */
extern PgmHold pgm_plan_hold(const PgmPlanLine *line);
extern int64 pgm_plan_bytes(Oid relid, PgmHold hold, bool whole);
extern bool pgm_plan_duration(const List *rates, const char *kind, PgmHold hold, int64 bytes,
							  bool first, double *ms);

/* A step of an online run. */
typedef struct PgmPlanStep
{
	const PgmStatement *statement;	/* that it comes from */
	int			number;			/* among the steps of that statement, from 1 */
	char	   *sql;
	PgmHold		hold;
	const char *why;			/* or NULL if it is the statement itself */
	const char *undo;			/* command that undoes it; NULL: to be found */
	bool		lasting;		/* can it not be undone? */
	bool		composed;		/* does it take the statement's place? */
	bool		kept;			/* has it commands of the statement that are
								 * not taken apart? */
	Oid			filled;			/* table of a backfill */
	List	   *locks;			/* of PgmLock *, where the server does not
								 * know */
	List	   *lines;			/* of PgmPlanLine * */
} PgmPlanStep;

/* Why the statements of a script have to run in one transaction. */
typedef struct PgmTogether
{
	const char *why;			/* for who looks at a statement of it */
	const char *detail;			/* for who would have it run online */
} PgmTogether;

/* together.c */
extern const PgmTogether *pgm_plan_together(const PgmScript *script);

/* online_attach.c */
extern char *pgm_online_attach_again(const AlterTableStmt *stmt);

/* online.c */
extern const char *pgm_online_hold_name(PgmHold hold);
extern List *pgm_online_plan(const PgmScript *script, bool trusted);
extern List *pgm_online_plan_statement(const PgmScript *script, PgmStatement *statement,
									   bool trusted);
extern PgmScript *pgm_online_script_of(const PgmScript *original, const char *sql, int number,
									   int line, PgmStatement **statement);

/* need.c */
extern PgmOpenFill *pgm_plan_need(const PgmScript *script, const PgmStatement *statement, List *fills,
								  int64 own);
extern char *pgm_plan_describe_need(const PgmOpenFill *fill);

#endif							/* PGM_PLAN_H */
