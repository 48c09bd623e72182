/*-------------------------------------------------------------------------
 *
 * expression.c
 *	  The expressions of a pair: from text to what can be evaluated.
 *
 * An expression is parsed as the user wrote it when the pair is made, and kept as
 * the server writes it, with every name qualified, so that it means the same in
 * each session.  It reads columns of its row and nothing else.
 *
 * Whoever writes a row has it evaluated, and must neither run the owner's code with
 * his own rights nor have the owner run his.  So it is evaluated as the owner of the
 * table, and where settings matter under those of the session that made the pair,
 * which give the same values for every writer, too.  Only for immutable functions of
 * the server itself does it not matter who evaluates them.
 *
 * IDENTIFICATION
 *	  src/sync/expression.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "rewrite/rewriteManip.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "base/guc.h"
#include "sync/sync.h"

#define PREFIX		"SELECT ("

/*
 * Point into the user's text rather than into our statement.
 */
static void
expression_error(void *arg)
{
	int			position = geterrposition();

	if (position <= 0)
		return;
	errposition(0);
	internalerrposition(Max(Min(position - (int) strlen(PREFIX), pg_mbstrlen((char *) arg) + 1), 1));
	internalerrquery((char *) arg);
}

/* The one expression that a text has to be. */
static Node *
parse_one(const char *statement)
{
	List	   *list = raw_parser(statement, RAW_PARSE_DEFAULT);
	SelectStmt *select;

	if (list_length(list) == 1 && linitial_node(RawStmt, list)->stmt_len == 0)
	{
		select = (SelectStmt *) linitial_node(RawStmt, list)->stmt;
		if (IsA(select, SelectStmt) && list_length(select->targetList) == 1 &&
			select->op == SETOP_NONE && select->distinctClause == NIL &&
			select->intoClause == NULL && select->fromClause == NIL &&
			select->whereClause == NULL && select->groupClause == NIL &&
			select->havingClause == NULL && select->windowClause == NIL &&
			select->sortClause == NIL && select->limitOffset == NULL &&
			select->limitCount == NULL && select->lockingClause == NIL)
			return linitial_node(ResTarget, select->targetList)->val;
	}
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("an expression is expected, and nothing else")));
	return NULL;				/* keep compiler quiet */
}

/*
 * The analysed expression that a text is, for a column of a table that it may
 * call "alias".
 */
Node *
pgm_sync_parse(Relation rel, const char *alias, const char *column, const char *text)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(rel), column);

	return pgm_sync_parse_for(rel, alias, TupleDescAttr(RelationGetDescr(rel), attno - 1), text);
}

/*
 * The same for a column of whichever table.
 */
Node *
pgm_sync_parse_for(Relation rel, const char *alias, Form_pg_attribute att, const char *text)
{
	char	   *statement = psprintf("%s%s\n)", PREFIX, text);
	const char *column = NameStr(att->attname);
	ParseState *pstate = make_parsestate(NULL);
	ErrorContextCallback callback;
	ParseNamespaceItem *item;
	Node	   *raw;
	Node	   *expr;
	Node	   *result;

	callback.callback = expression_error;
	callback.arg = unconstify(char *, text);
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	raw = parse_one(statement);
	pstate->p_sourcetext = statement;
	item = addRangeTableEntryForRelation(pstate, rel, AccessShareLock,
										 makeAlias(alias, NIL), false, true);
	addNSItemToQuery(pstate, item, true, true, true);
	expr = transformExpr(pstate, raw, EXPR_KIND_UPDATE_SOURCE);
	result = coerce_to_target_type(pstate, expr, exprType(expr), att->atttypid, att->atttypmod,
								   COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (result == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" is of type %s but expression is of type %s",
						column, format_type_be(att->atttypid), format_type_be(exprType(expr))),
				 errhint("You will need to rewrite or cast the expression.")));
	assign_expr_collations(pstate, result);
	error_context_stack = callback.previous;
	free_parsestate(pstate);
	return result;
}

static void
check_columns(Relation rel, const char *what, const char *column, Node *expr)
{
	Bitmapset  *attrs = NULL;
	int			i = -1;

	pull_varattnos(expr, 1, &attrs);
	while ((i = bms_next_member(attrs, i)) >= 0)
	{
		AttrNumber	attno = i + FirstLowInvalidHeapAttributeNumber;

		if (attno <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("expression \"%s\" of column \"%s\" must read ordinary columns only",
							what, column),
					 errdetail("It reads a system column or the row as a whole.")));
		if (TupleDescAttr(RelationGetDescr(rel), attno - 1)->attgenerated != '\0')
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("expression \"%s\" of column \"%s\" must not read generated column \"%s\"",
							what, column,
							NameStr(TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname)),
					 errdetail("Generated columns are computed after the triggers that keep columns in step.")));
	}
}

/*
 * Throw unless an expression, as pgm_sync_parse() returned it, can be evaluated in
 * a trigger and gives the same each time.
 */
void
pgm_sync_check(Relation rel, const char *what, const char *column, Node *expr)
{
	if (checkExprHasSubLink(expr))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("expression \"%s\" of column \"%s\" must not have a subquery", what, column),
				 errhint("Put it into a function.")));
	check_columns(rel, what, column, expr);
	if (contain_volatile_functions((Node *) expression_planner((Expr *) expr)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("expression \"%s\" of column \"%s\" must not call volatile functions",
						what, column),
				 errdetail("It has to give the same result for the same row each time.")));
}

/*
 * An expression as text that any session understands alike.
 */
char *
pgm_sync_deparse(Relation rel, Node *expr)
{
	int			level = NewGUCNestLevel();
	List	   *context = deparse_context_for(RelationGetRelationName(rel), RelationGetRelid(rel));
	char	   *text;

	pgm_guc_pin_meaning();
	text = deparse_expression(expr, context, false, false);

	AtEOXact_GUC(true, level);
	return text;
}

/* Is it a function that looks for names when it runs? */
static bool
is_users_function(Oid function, void *context)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			language;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function with OID %u does not exist", function)));
	language = ((Form_pg_proc) GETSTRUCT(tuple))->prolang;
	ReleaseSysCache(tuple);
	return language != INTERNALlanguageId && language != ClanguageId;
}

static bool
users_code_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, CoerceToDomain))
		return true;
	return check_functions_in_node(node, is_users_function, NULL) ||
		expression_tree_walker(node, users_code_walker, context);
}

/*
 * Does an expression run functions whose names are looked for when they run?
 */
bool
pgm_sync_runs_users_code(Node *expr)
{
	return users_code_walker(expr, NULL);
}

static bool
is_of_users(Oid object, void *context)
{
	return object >= FirstNormalObjectId;
}

static bool
not_plain_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_List:
			return expression_tree_walker(node, not_plain_walker, context);
		case T_CaseWhen:
			/* is no expression, but what is in it */
			return expression_tree_walker(node, not_plain_walker, context);
		case T_Var:
		case T_Const:
		case T_FuncExpr:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_BoolExpr:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_CaseExpr:
		case T_CaseTestExpr:
		case T_CoalesceExpr:
		case T_NullTest:
		case T_BooleanTest:
			return is_of_users(exprType(node), NULL) ||
				check_functions_in_node(node, is_of_users, NULL) ||
				expression_tree_walker(node, not_plain_walker, context);
		default:
			return true;
	}
}

/*
 * Does a planned expression, or do all in a list of them, consist of types and
 * functions of the server itself, and of nodes that keep nothing between evaluations?
 */
bool
pgm_sync_is_plain(Node *expr)
{
	return !not_plain_walker(expr, NULL);
}

/*
 * Those of these settings that the result of the expressions of a pair may depend
 * on, after they are planned.
 */
List *
pgm_sync_settings(List *settings, Node *up, Node *down)
{
	bool		users_code = pgm_sync_runs_users_code(up) || pgm_sync_runs_users_code(down);
	List	   *result = NIL;

	if (!users_code && !contain_mutable_functions(up) && !contain_mutable_functions(down))
		return NIL;
	for (int i = 0; i + 1 < list_length(settings); i += 2)
	{
		if (!users_code && strcmp((char *) list_nth(settings, i), "search_path") == 0)
			continue;
		result = lappend(result, pstrdup((char *) list_nth(settings, i)));
		result = lappend(result, pstrdup((char *) list_nth(settings, i + 1)));
	}
	return result;
}

/*
 * From here to pgm_sync_leave_owner(), be the owner of the table; with "new_level",
 * settings go back then.  An error in between puts everything back when the
 * transaction or subtransaction ends.
 */
void
pgm_sync_enter_owner(Relation rel, bool new_level, PgmSyncScope *scope)
{
	Oid			owner = rel->rd_rel->relowner;

	GetUserIdAndSecContext(&scope->userid, &scope->sec_context);
	if (owner != scope->userid)
		SetUserIdAndSecContext(owner, scope->sec_context | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_RESTRICTED_OPERATION);
	scope->guc_level = new_level || owner != scope->userid ? NewGUCNestLevel() : 0;
}

void
pgm_sync_leave_owner(PgmSyncScope *scope)
{
	if (scope->guc_level != 0)
		AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->userid, scope->sec_context);
}
