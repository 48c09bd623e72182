/*-------------------------------------------------------------------------
 *
 * online_rows.c
 *	  UPDATE and DELETE of a large part of a table, as backfills.
 *
 * How many rows it would be is asked of the planner, as the table's owner in a
 * security-restricted operation, since planning can call functions of the
 * owner's.  Where it cannot tell, because a column is not there yet, say, a
 * statement without WHERE is about all rows.
 *
 * IDENTIFICATION
 *	  src/plan/online_rows.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/relation.h"
#include "base/subxact.h"
#include "plan/online.h"

/* So many rows are changed within the time that a batch takes, or little more. */
#define MANY_ROWS		5000

/* A question to the planner, for pgm_subxact_run(). */
typedef struct Estimate
{
	const PgmStatement *statement;
	Oid			relid;
	double		rows;
} Estimate;

static void
estimate_rows(void *arg)
{
	Estimate   *estimate = (Estimate *) arg;
	PgmOwnerRights rights;
	List	   *queries;
	PlannedStmt *planned;
	Plan	   *source;

	PushActiveSnapshot(GetTransactionSnapshot());
	pgm_probe_enter_owner(&rights, pgm_relation_owner(estimate->relid));
	queries = pg_analyze_and_rewrite_fixedparams(estimate->statement->raw,
												 estimate->statement->source, NULL, 0, NULL);
	if (list_length(queries) == 1)
	{
		planned = pg_plan_query(linitial_node(Query, queries), estimate->statement->source, 0, NULL);
		source = planned->planTree == NULL ? NULL : outerPlan(planned->planTree);
		estimate->rows = source == NULL ? 0 : source->plan_rows;
	}
	pgm_probe_leave_owner(&rights);
	PopActiveSnapshot();
}

/*
 * Does the statement change many rows?
 */
static bool
changes_many(const PgmStatement *statement, Oid relid, bool trusted, bool has_where)
{
	Estimate	estimate = {statement, relid, -1};
	const bool	keep = false;

	if (trusted && pgm_relation_is_owned(relid, GetUserId()))
	{
		ErrorData  *error = pgm_subxact_run(estimate_rows, &estimate, keep);

		if (error != NULL && pgm_subxact_must_stop(error))
			ReThrowError(error);
		if (error != NULL)
			estimate.rows = -1;
	}
	return estimate.rows < 0 ? !has_where : estimate.rows >= MANY_ROWS;
}

/*
 * Has an expression a subquery?  It would see what the batches before did.
 */
static bool
has_subquery(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return IsA(node, SubLink) || raw_expression_tree_walker(node, has_subquery, context);
}

/* The relation that a statement changes if it is about that one only, or NULL. */
static const RangeVar *
only_relation(Node *stmt, bool *has_where)
{
	if (IsA(stmt, UpdateStmt))
	{
		UpdateStmt *update = (UpdateStmt *) stmt;

		*has_where = update->whereClause != NULL;
		return update->fromClause == NIL && update->withClause == NULL &&
			!pgm_update_returns(update) ? update->relation : NULL;
	}
	else
	{
		DeleteStmt *delete = (DeleteStmt *) stmt;

		*has_where = delete->whereClause != NULL;
		return delete->usingClause == NIL && delete->withClause == NULL &&
			!pgm_update_returns(delete) ? delete->relation : NULL;
	}
}

/*
 * UPDATE or DELETE
 */
List *
pgm_online_change_rows(const PgmScript *script, const PgmStatement *statement, bool trusted)
{
	Node	   *stmt = statement->raw->stmt;
	bool		has_where;
	const RangeVar *relation = only_relation(stmt, &has_where);
	Oid			relid = relation == NULL ? InvalidOid : pgm_online_table(relation);
	PgmPieces  *pieces = pgm_pieces_read(script, statement);
	int			after;
	int			where;
	PgmFill		fill = {0};
	List	   *steps = NIL;

	/* its text would be read with another name for the table */
	if (!OidIsValid(relid) || relation->alias != NULL || !relation->inh ||
		raw_expression_tree_walker(stmt, has_subquery, NULL) ||
		!changes_many(statement, relid, trusted, has_where))
		return NIL;
	after = pgm_pieces_after_relation(pieces, relation);
	where = pgm_pieces_find(pieces, after, "where");
	if (after < 0 || has_where != (where >= 0))
		return NIL;

	fill.table = pgm_online_relation(relation);
	fill.name = pgm_online_fill_name(script, statement->number, NULL);
	if (IsA(stmt, UpdateStmt))
		fill.assign = pgm_pieces_text(pieces, after + 1, has_where ? where : pieces->count);
	if (has_where)
		fill.filter = pgm_pieces_text(pieces, where + 1, pieces->count);
	pgm_online_add_fill(&steps, relid, &fill);
	return steps;
}
