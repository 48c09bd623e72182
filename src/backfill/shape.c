/*-------------------------------------------------------------------------
 *
 * shape.c
 *	  What a backfill does to a row, and whether it may meet a row twice.
 *
 * The SET list and the filter are text of the user's.  The server parses and
 * analyses them here, inside the statement that they will be part of; what is
 * wrong with them is reported with the place in the text as the user wrote it.
 *
 * The strategy "pages" goes through a table in physical order.  A row that is
 * updated by somebody else meanwhile moves, and may be met twice or not at all,
 * so there has to be a condition that tells rows to be done from others.  Two
 * cases give one:
 *
 * 1. Nothing in the SET list depends on anything but other columns of the row
 *    (immutable functions only, no subquery, no target column).  Then a row is
 *    done if its columns have the values already.  They are compared by value
 *    where equal means identical for the type, else by image, so that nothing
 *    is taken for done that a plain UPDATE would have changed.
 *
 * 2. The filter says "target column IS NULL" and the SET list does not read a
 *    target column.  A row that is met again is one whose new value was null;
 *    doing it again does no harm.
 *
 * Everything else needs a key.  A DELETE that has a filter can go by pages.
 *
 * IDENTIFICATION
 *	  src/backfill/shape.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/nbtree.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "rewrite/rewriteHandler.h"
#include "rewrite/rewriteManip.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "base/compat.h"
#include "base/relation.h"
#include "backfill/backfill.h"

/* Text of the user's inside a statement of ours. */
typedef struct Fragment
{
	const char *statement;
	const char *text;
	int			offset;			/* of the text in the statement, in bytes */
} Fragment;

/*
 * Point into the user's text rather than into our statement.
 */
static void
fragment_error(void *arg)
{
	Fragment   *fragment = (Fragment *) arg;
	int			position = geterrposition();
	int			before;

	if (position <= 0)
		return;
	before = pg_mbstrlen_with_len(fragment->statement, fragment->offset);
	errposition(0);
	if (position > before &&
		position <= before + pg_mbstrlen(fragment->text) + 1)
		internalerrposition(position - before);
	else
		internalerrposition(pg_mbstrlen(fragment->text) + 1);
	internalerrquery(fragment->text);
}

static void
set_fragment(Fragment *fragment, ErrorContextCallback *callback, char *statement, int offset,
			 const char *text)
{
	fragment->statement = statement;
	fragment->text = text;

	fragment->offset = offset;
	callback->callback = fragment_error;
	callback->arg = fragment;
	callback->previous = error_context_stack;
	error_context_stack = callback;
}

/*
 * The table as target of a statement: under its own name, so that the user can
 * qualify columns with it, whichever partition is meant.
 */
char *
pgm_shape_target(Oid leaf, const char *alias)
{
	return psprintf("ONLY %s AS %s", pgm_relation_name(leaf), quote_identifier(alias));
}

static RawStmt *
parse_one(const char *statement, const char *what)
{
	List	   *list = raw_parser(statement, RAW_PARSE_DEFAULT);

	if (list_length(list) != 1 || linitial_node(RawStmt, list)->stmt_len != 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s must not contain a semicolon", what)));
	return linitial_node(RawStmt, list);
}

/*
 * The analysed UPDATE with a SET list.
 */
static Query *
analyze_assign(Oid relid, const char *alias, const char *assign)
{
	Fragment	fragment;
	ErrorContextCallback callback;
	char	   *prefix = psprintf("UPDATE %s SET ", pgm_shape_target(relid, alias));
	char	   *statement = psprintf("%s%s", prefix, assign);
	RawStmt    *raw;
	UpdateStmt *update;
	Query	   *query;

	set_fragment(&fragment, &callback, statement, strlen(prefix), assign);
	raw = parse_one(statement, "the SET list");
	update = castNode(UpdateStmt, raw->stmt);
	if (update->whereClause != NULL || update->fromClause != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("argument \"assign\" must be a SET list and nothing else"),
				 errhint("Give the condition as \"filter\", and values of other tables by a subquery.")));
	if (pgm_update_returns(update))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("argument \"assign\" must not have RETURNING")));
	query = parse_analyze_fixedparams(raw, statement, NULL, 0, NULL);
	error_context_stack = callback.previous;
	return query;
}

/*
 * The analysed condition, or NULL.
 */
static Node *
analyze_filter(Oid relid, const char *alias, const char *filter)
{
	Fragment	fragment;
	ErrorContextCallback callback;
	char	   *prefix;
	char	   *statement;
	RawStmt    *raw;
	SelectStmt *select;
	Query	   *query;

	if (filter == NULL)
		return NULL;
	prefix = psprintf("SELECT FROM %s WHERE ", pgm_shape_target(relid, alias));
	statement = psprintf("%s%s", prefix, filter);
	set_fragment(&fragment, &callback, statement, strlen(prefix), filter);
	raw = parse_one(statement, "the filter");
	select = castNode(SelectStmt, raw->stmt);
	if (select->op != SETOP_NONE || select->groupClause != NIL || select->havingClause != NULL ||
		select->windowClause != NIL || select->sortClause != NIL ||
		select->limitCount != NULL || select->limitOffset != NULL ||
		select->lockingClause != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("argument \"filter\" must be a condition and nothing else")));
	query = parse_analyze_fixedparams(raw, statement, NULL, 0, NULL);
	error_context_stack = callback.previous;
	return query->jointree->quals;
}

/*
 * Throw unless a text is a boolean expression without a table.
 */
void
pgm_shape_check_condition(const char *condition)
{
	Fragment	fragment;
	ErrorContextCallback callback;
	const char *prefix = "SELECT WHERE ";
	char	   *statement = psprintf("%s%s", prefix, condition);
	RawStmt    *raw;
	SelectStmt *select;

	set_fragment(&fragment, &callback, statement, strlen(prefix), condition);
	raw = parse_one(statement, "the condition");
	select = castNode(SelectStmt, raw->stmt);
	if (select->op != SETOP_NONE || select->groupClause != NIL || select->havingClause != NULL ||
		select->windowClause != NIL || select->sortClause != NIL ||
		select->limitCount != NULL || select->limitOffset != NULL || select->lockingClause != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("argument \"hold_when\" must be a condition and nothing else")));
	(void) parse_analyze_fixedparams(raw, statement, NULL, 0, NULL);
	error_context_stack = callback.previous;
}

/*
 * What a backfill does that copies rows to another table, each at most once: the
 * INSERT reads them from PGM_COPIED_ROWS, and passes over those that are there.
 */
PgmShape *
pgm_shape_copy(Oid relid, const char *alias, const char *insert)
{
	PgmShape   *shape = palloc0(sizeof(PgmShape));

	shape->relid = relid;
	shape->alias = pstrdup(alias);
	shape->assign = pstrdup(insert);
	shape->copies = true;
	shape->once = "rows are copied";
	return shape;
}

/*
 * Are equal values of an expression identical?
 */
static bool
equal_is_identical(Node *expr)
{
	Oid			type = getBaseType(exprType(expr));
	Oid			opclass = GetDefaultOpClass(type, BTREE_AM_OID);
	Oid			family;
	Oid			input;
	Oid			proc;

	/*
	 * blanks at the end do not count for bpchar, but are stored without a
	 * length
	 */
	if (!OidIsValid(opclass) || type == BPCHAROID)
		return false;
	family = get_opclass_family(opclass);
	input = get_opclass_input_type(opclass);
	proc = get_opfamily_proc(family, input, input, BTEQUALIMAGE_PROC);
	return OidIsValid(proc) &&
		DatumGetBool(OidFunctionCall1Coll(proc, exprCollation(expr), ObjectIdGetDatum(input)));
}

/*
 * Does an expression read any of these columns, or something that changes with
 * them (the row as a whole, or where it is), also from within a subquery?
 */
static bool
reads_any(Node *expr, const Bitmapset *columns)
{
	ListCell   *lc;

	foreach(lc, pull_vars_of_level(expr, 0))
	{
		Var		   *var = lfirst_node(Var, lc);

		if (var->varattno == 0 ||
			(var->varattno < 0 && var->varattno != TableOidAttributeNumber) ||
			bms_is_member(var->varattno - FirstLowInvalidHeapAttributeNumber, columns))
			return true;
	}
	return false;
}

/*
 * Does a condition imply that one of these columns is null?
 */
static bool
requires_null(Node *quals, const Bitmapset *columns)
{
	ListCell   *lc;

	if (quals == NULL)
		return false;
	if (is_andclause(quals))
	{
		foreach(lc, ((BoolExpr *) quals)->args)
		{
			if (requires_null((Node *) lfirst(lc), columns))
				return true;
		}
		return false;
	}
	if (IsA(quals, NullTest))
	{
		NullTest   *test = (NullTest *) quals;

		if (test->nulltesttype == IS_NULL && IsA(test->arg, Var))
		{
			Var		   *var = (Var *) test->arg;

			return var->varno == 1 && var->varlevelsup == 0 &&
				bms_is_member(var->varattno - FirstLowInvalidHeapAttributeNumber, columns);
		}
	}
	return false;
}

/*
 * The condition "a target column does not have its new value yet".
 */
static char *
differs_condition(const PgmShape *shape, List *targets, List *context)
{
	StringInfoData buf;
	ListCell   *lc;
	ListCell   *column;

	initStringInfo(&buf);
	forboth(lc, targets, column, shape->set_columns)
	{
		TargetEntry *target = lfirst_node(TargetEntry, lc);
		Node	   *expr = (Node *) target->expr;
		char	   *text = deparse_expression(expr, context, true, true);
		char	   *name = psprintf("%s.%s", quote_identifier(shape->alias),
									quote_identifier((char *) lfirst(column)));

		if (buf.len > 0)
			appendStringInfoString(&buf, " OR ");
		if (equal_is_identical(expr))
			appendStringInfo(&buf, "%s IS DISTINCT FROM (%s)", name, text);
		else
			appendStringInfo(&buf, "ROW(%s)::pg_catalog.record OPERATOR(pg_catalog.*<>)"
							 " ROW(CAST(%s AS %s))",
							 name, text,
							 format_type_extended(exprType(expr), -1,
												  FORMAT_TYPE_TYPEMOD_GIVEN |
												  FORMAT_TYPE_FORCE_QUALIFY));
	}
	return buf.data;
}

/*
 * Why the new values of a row may differ when they are computed again, or NULL
 * if they are the same.
 */
static const char *
why_not_stable(List *targets, const Bitmapset *columns)
{
	ListCell   *lc;

	foreach(lc, targets)
	{
		TargetEntry *target = lfirst_node(TargetEntry, lc);
		Node	   *expr = (Node *) target->expr;

		if (checkExprHasSubLink(expr) || IsA(expr, Param))
			return "the SET list has a subquery";
		if (IsA(expr, SetToDefault))
			return "the SET list has DEFAULT";
		if (contain_volatile_functions(expr))
			return "the SET list calls a volatile function";
		if (contain_mutable_functions(expr))
			return "the SET list calls a function that is not immutable";
		if (reads_any(expr, columns))
			return "the SET list reads a column that it sets";
	}
	return NULL;
}

static bool
reads_target(List *targets, const Bitmapset *columns)
{
	ListCell   *lc;

	foreach(lc, targets)
	{
		if (reads_any((Node *) lfirst_node(TargetEntry, lc)->expr, columns))
			return true;
	}
	return false;
}

/*
 * The columns that are set, and those that are generated from them.
 */
static Bitmapset *
columns_changed(const PgmShape *shape)
{
	Relation	rel = table_open(shape->relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	Bitmapset  *changed = bms_copy(shape->set_attrs);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attgenerated != '\0' && !att->attisdropped &&
			reads_any(build_column_default(rel, att->attnum), shape->set_attrs))
			changed = bms_add_member(changed, att->attnum - FirstLowInvalidHeapAttributeNumber);
	}
	table_close(rel, AccessShareLock);
	return changed;
}

/* Does an expression take the next value of a sequence? */
static bool
takes_number(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid == F_NEXTVAL)
		return true;
	return expression_tree_walker(node, takes_number, context);
}

/*
 * Fill what the SET list says.
 */
static void
set_targets(PgmShape *shape, List *targets, List *context)
{
	ListCell   *lc;

	shape->values_known = true;
	foreach(lc, targets)
	{
		TargetEntry *target = lfirst_node(TargetEntry, lc);
		Node	   *expr = (Node *) target->expr;

		if (target->resjunk)
			continue;
		shape->numbers = shape->numbers || takes_number(expr, NULL);
		shape->set_columns = lappend(shape->set_columns,
									 get_attname(shape->relid, target->resno, false));
		shape->set_attrs = bms_add_member(shape->set_attrs,
										  target->resno - FirstLowInvalidHeapAttributeNumber);
		if (checkExprHasSubLink(expr) || IsA(expr, Param) || IsA(expr, SetToDefault) ||
			contain_volatile_functions(expr))
			shape->values_known = false;
		else
			shape->values = lappend(shape->values,
									deparse_expression(expr, context, true, true));
	}
}

/*
 * Analyse what a backfill does to the rows of a table, which the texts know as
 * "alias": a SET list (NULL for a DELETE) and a filter, or NULL.  Throws if they are wrong.  Nothing of the
 * user's runs but what the server calls to analyse an expression.
 */
PgmShape *
pgm_shape_analyze(Oid relid, const char *alias, const char *assign, const char *filter)
{
	PgmShape   *shape = palloc0(sizeof(PgmShape));
	List	   *context;
	Node	   *quals;
	Query	   *update;
	Bitmapset  *changed;

	shape->relid = relid;
	shape->alias = pstrdup(alias);
	shape->assign = assign == NULL ? NULL : pstrdup(assign);
	context = deparse_context_for(shape->alias, relid);
	quals = analyze_filter(relid, alias, filter);
	shape->filter = filter == NULL ? NULL : pstrdup(filter);
	shape->predicate = filter == NULL ? NULL : psprintf("(%s\n)", filter);
	if (assign == NULL)
	{
		if (filter == NULL)
			shape->once = "all rows are to be deleted, so one that is added meanwhile cannot be told from them";
		return shape;
	}

	update = analyze_assign(relid, alias, assign);
	set_targets(shape, update->targetList, context);
	changed = columns_changed(shape);
	shape->once = why_not_stable(update->targetList, changed);
	if (shape->once == NULL)
	{
		char	   *differs = differs_condition(shape, update->targetList, context);

		shape->derived = true;
		shape->predicate = filter == NULL ? psprintf("(%s)", differs) :
			psprintf("(%s\n) AND (%s)", filter, differs);
	}
	else if (requires_null(quals, shape->set_attrs) &&
			 !reads_target(update->targetList, changed))
		shape->once = NULL;
	return shape;
}
