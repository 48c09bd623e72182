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
 * A statement takes effect at once, a backfill bit by bit.  Where that could be
 * seen in the outcome, the statement stays: if it reads other rows, if a constraint
 * has to hold for all its rows together, if there is no way to meet each row only
 * once.  The time is that at which the steps are made.
 *
 * IDENTIFICATION
 *	  src/plan/online_rows.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/relation.h"
#include "base/subxact.h"
#include "plan/fill.h"
#include "plan/online.h"

/* So many rows are changed within the time that a batch takes, or little more. */
#define MANY_ROWS		5000

PgmCheckFill pgm_online_check_fill_hook = NULL;

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
	queries = pg_analyze_and_rewrite_fixedparams(copyObject(estimate->statement->raw),
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

/* What is the same of an UPDATE and a DELETE. */
typedef struct Change
{
	Node	   *stmt;
	const RangeVar *relation;
	bool		has_where;
	bool		has_others;		/* FROM or USING */
	bool		has_with;
	bool		returns;
} Change;

static Change
read_change(Node *stmt)
{
	Change		change = {stmt};

	if (IsA(stmt, UpdateStmt))
	{
		UpdateStmt *update = (UpdateStmt *) stmt;

		change.relation = update->relation;
		change.has_where = update->whereClause != NULL;
		change.has_others = update->fromClause != NIL;
		change.has_with = update->withClause != NULL;
		change.returns = pgm_update_returns(update);
	}
	else
	{
		DeleteStmt *delete = (DeleteStmt *) stmt;

		change.relation = delete->relation;
		change.has_where = delete->whereClause != NULL;
		change.has_others = delete->usingClause != NIL;
		change.has_with = delete->withClause != NULL;
		change.returns = pgm_update_returns(delete);
	}
	return change;
}

/* Is the alias used for the row as a whole? */
static bool
has_whole_row(Node *node, const char *alias)
{
	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
	{
		List	   *fields = ((ColumnRef *) node)->fields;

		return IsA(llast(fields), A_Star) ||
			(list_length(fields) == 1 && strcmp(strVal(linitial(fields)), alias) == 0);
	}
	return raw_expression_tree_walker(node, has_whole_row, unconstify(char *, alias));
}

/*
 * What a statement has that the texts of a backfill cannot have, or NULL.
 */
static const char *
find_foreign(const Change *change)
{
	const Alias *alias = change->relation->alias;

	if (change->has_others)
		return "other tables";
	if (change->has_with)
		return "WITH";
	if (change->returns)
		return "RETURNING";
	if (!change->relation->inh)
		return "ONLY";
	if (raw_expression_tree_walker(change->stmt, has_subquery, NULL))
		return "a subquery, which would see what the batches before it did";
	if (alias != NULL && (alias->colnames != NIL ||
						  raw_expression_tree_walker(change->stmt, has_whole_row, alias->aliasname)))
		return "another name for the row";
	return NULL;
}

/* The time at which the transaction began, as SQL. */
static char *
time_literal(Oid type, const char *name)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	char		buf[MAXDATELEN + 1];
	Datum		value = TimestampTzGetDatum(now);

	switch (type)
	{
		case DATEOID:
			value = DirectFunctionCall1(timestamptz_date, value);
			break;
		case TIMEOID:
			value = DirectFunctionCall1(timestamptz_time, value);
			break;
		case TIMETZOID:
			value = DirectFunctionCall1(timestamptz_timetz, value);
			break;
		case TIMESTAMPOID:
			value = DirectFunctionCall1(timestamptz_timestamp, value);
			break;
		default:
			break;
	}
	JsonEncodeDateTime(buf, value, type, NULL);
	return psprintf("%s::%s", quote_literal_cstr(buf), name);
}

/*
 * Put the time at which the transaction began in the place of an expression that
 * asks for it: all rows are to have the same one.
 */
static bool
freeze_time(Node *node, PgmPieces *pieces)
{
	static const char *const names[] = {"now", "transaction_timestamp", "statement_timestamp"};
	static const struct
	{
		Oid			type;
		const char *name;
	}			types[] = {
		[SVFOP_CURRENT_DATE] = {DATEOID, "date"},
		[SVFOP_CURRENT_TIME] = {TIMETZOID, "timetz"},
		[SVFOP_CURRENT_TIME_N] = {TIMETZOID, "timetz"},
		[SVFOP_CURRENT_TIMESTAMP] = {TIMESTAMPTZOID, "timestamptz"},
		[SVFOP_CURRENT_TIMESTAMP_N] = {TIMESTAMPTZOID, "timestamptz"},
		[SVFOP_LOCALTIME] = {TIMEOID, "time"},
		[SVFOP_LOCALTIME_N] = {TIMEOID, "time"},
		[SVFOP_LOCALTIMESTAMP] = {TIMESTAMPOID, "timestamp"},
		[SVFOP_LOCALTIMESTAMP_N] = {TIMESTAMPOID, "timestamp"},
	};

	if (node == NULL)
		return false;
	if (IsA(node, SQLValueFunction) && ((SQLValueFunction *) node)->op < lengthof(types))
	{
		SQLValueFunction *function = (SQLValueFunction *) node;
		int			at = pgm_pieces_at(pieces, function->location);

		if (at >= 0)
			pgm_pieces_replace(pieces, at, at + 1,
							   time_literal(types[function->op].type, types[function->op].name));
		return false;
	}
	if (IsA(node, FuncCall) && ((FuncCall *) node)->args == NIL)
	{
		FuncCall   *call = (FuncCall *) node;
		int			from = pgm_pieces_at(pieces, call->location);
		int			to = from < 0 ? -1 : pgm_pieces_after_call(pieces, from);

		for (int i = 0; i < lengthof(names) && to > 0; i++)
		{
			if (strcmp(strVal(llast(call->funcname)), names[i]) == 0 &&
				(list_length(call->funcname) == 1 ||
				 strcmp(strVal(linitial(call->funcname)), "pg_catalog") == 0))
				pgm_pieces_replace(pieces, from, to, time_literal(TIMESTAMPTZOID, "timestamptz"));
		}
	}
	return raw_expression_tree_walker(node, freeze_time, pieces);
}

/* A question whether a backfill can do it, for pgm_subxact_run(). */
typedef struct FillQuestion
{
	Oid			relid;
	const PgmFill *fill;
} FillQuestion;

static void
ask_about_fill(void *arg)
{
	FillQuestion *question = (FillQuestion *) arg;
	PgmOwnerRights rights;

	pgm_probe_enter_owner(&rights, pgm_relation_owner(question->relid));
	pgm_online_check_fill_hook(question->relid, question->fill->assign, question->fill->filter);
	pgm_probe_leave_owner(&rights);
}

/*
 * Why migrate.backfill() would refuse that, or NULL if it would not, as far as can
 * be told: a column may not be there yet.
 */
const char *
pgm_online_fill_refusal(Oid relid, const PgmFill *fill, bool trusted)
{
	FillQuestion question = {relid, fill};
	const bool	keep = false;
	ErrorData  *error;

	if (pgm_online_check_fill_hook == NULL || !trusted ||
		!pgm_relation_is_owned(relid, GetUserId()))
		return NULL;
	error = pgm_subxact_run(ask_about_fill, &question, keep);
	if (error == NULL)
		return NULL;
	if (pgm_subxact_must_stop(error))
		ReThrowError(error);
	switch (error->sqlerrcode)
	{
		case ERRCODE_FEATURE_NOT_SUPPORTED:
		case ERRCODE_WRONG_OBJECT_TYPE:
		case ERRCODE_INVALID_PARAMETER_VALUE:
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
			return error->detail != NULL ? error->detail : error->message;
		default:
			return NULL;
	}
}

/*
 * Have the user's text say what it means in one transaction, to a table that is
 * known by its name only.
 */
static void
adapt_text(PgmPieces *pieces, const Change *change)
{
	RangeVar	alias = {.type = T_RangeVar};

	(void) raw_expression_tree_walker(change->stmt, freeze_time, pieces);
	if (change->relation->alias == NULL)
	{
		pgm_pieces_cut_names(pieces, change->stmt, change->relation, 2);
		return;
	}
	alias.relname = change->relation->alias->aliasname;
	pgm_pieces_cut_names(pieces, change->stmt, &alias, 1);
}

/*
 * The backfill that does what the statement does.  Returns false if its parts are
 * not found in its text.
 */
static bool
make_fill(PgmFill *fill, const PgmScript *script, const PgmStatement *statement,
		  PgmPieces *pieces, const Change *change)
{
	int			after = pgm_pieces_after_relation(pieces, change->relation);
	int			set = pgm_pieces_find(pieces, after, "set");
	int			where = pgm_pieces_find(pieces, after, "where");

	if (after < 0 || change->has_where != (where >= 0) ||
		(IsA(change->stmt, UpdateStmt) && set < 0))
		return false;
	adapt_text(pieces, change);
	fill->table = pgm_online_relation(change->relation);
	fill->name = pgm_online_fill_name(script, statement->number, NULL);
	if (IsA(change->stmt, UpdateStmt))
		fill->assign = pgm_pieces_text(pieces, set + 1, where >= 0 ? where : pieces->count);
	if (where >= 0)
		fill->filter = pgm_pieces_text(pieces, where + 1, pieces->count);
	return true;
}

/*
 * UPDATE or DELETE
 */
List *
pgm_online_change_rows(const PgmScript *script, const PgmStatement *statement, bool trusted)
{
	Change		change = read_change(statement->raw->stmt);
	Oid			relid = pgm_online_table(change.relation);
	PgmPieces  *pieces = pgm_pieces_read(script, statement);
	const char *foreign = find_foreign(&change);
	const char *refusal;
	PgmFill		fill = {0};
	List	   *steps = NIL;

	if (!OidIsValid(relid) || !changes_many(statement, relid, trusted, change.has_where))
		return NIL;
	if (foreign != NULL)
		refusal = psprintf("It has %s; migrate.backfill() may do the same, written otherwise.",
						   foreign);
	else if (!make_fill(&fill, script, statement, pieces, &change))
		return NIL;
	else if (pgm_online_has_to_be_whole(change.stmt, relid))
		refusal = "A constraint of the table may not hold when only a part of it is done.";
	else
		refusal = pgm_online_fill_refusal(relid, &fill, trusted);
	if (refusal == NULL)
		pgm_online_add_fill(&steps, relid, &fill);
	else
		pgm_online_add(&steps, PGM_HOLD_FOUND, psprintf("no backfill can do this. %s", refusal),
					   pnstrdup(script->sql + statement->location, statement->length));
	return steps;
}
