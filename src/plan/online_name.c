/*-------------------------------------------------------------------------
 *
 * online_name.c
 *	  Names that the server would give.
 *
 * What is made in several steps has to have a name from the first one on.  Where
 * the user gave none it is the one that the server would have chosen, so that
 * the outcome is the same.
 *
 * IDENTIFICATION
 *	  src/plan/online_name.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_constraint.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_target.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "plan/online.h"

/* Names with underscores between them, as far as they can matter. */
static char *
join_names(List *names)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, names)
	{
		if (buf.len >= NAMEDATALEN)
			break;
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? "_" : "", (char *) lfirst(lc));
	}
	return buf.data;
}

/*
 * What the columns of an index are called: no two the same.
 */
static List *
column_names(List *params)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, params)
	{
		IndexElem  *elem = lfirst_node(IndexElem, lc);
		const char *wanted = elem->name;
		char	   *name;

		if (wanted == NULL)
			wanted = elem->indexcolname != NULL ? elem->indexcolname : FigureIndexColname(elem->expr);
		if (wanted == NULL)
			wanted = "expr";
		name = pstrdup(wanted);
		for (int i = 1; pgm_script_has_name(names, name); i++)
		{
			char		number[16];
			int			length;

			snprintf(number, sizeof(number), "%d", i);
			length = pg_mbcliplen(wanted, strlen(wanted), NAMEDATALEN - 1 - strlen(number));
			name = psprintf("%.*s%s", length, wanted, number);
		}
		names = lappend(names, name);
	}
	return names;
}

/*
 * The name of an index on a table that is given none.
 */
char *
pgm_online_index_name(Oid relid, List *params)
{
	const bool	isconstraint = false;

	return ChooseRelationName(get_rel_name(relid), join_names(column_names(params)), "idx",
							  get_rel_namespace(relid), isconstraint);
}

/* Names of a list of String nodes. */
static List *
strings(List *nodes)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, nodes)
		names = lappend(names, strVal(lfirst(lc)));
	return names;
}

/* Collect the columns that an expression names. */
static bool
find_columns(Node *node, List **names)
{
	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
	{
		Node	   *last = llast(((ColumnRef *) node)->fields);

		if (IsA(last, String) && !pgm_script_has_name(*names, strVal(last)))
			*names = lappend(*names, strVal(last));
		return false;
	}
	return raw_expression_tree_walker(node, find_columns, names);
}

/*
 * The name of a foreign key or a check; others are taken already.
 */
char *
pgm_online_constraint_name(Oid relid, const Constraint *constraint, List *others)
{
	List	   *columns = NIL;
	const char *addition;

	if (constraint->conname != NULL)
		return constraint->conname;
	if (constraint->contype == CONSTR_FOREIGN)
		return ChooseConstraintName(get_rel_name(relid), join_names(strings(constraint->fk_attrs)),
									"fkey", get_rel_namespace(relid), others);
	/* a check is called after its column, if it has only one */
	(void) find_columns(constraint->raw_expr, &columns);
	addition = list_length(columns) == 1 ? (char *) linitial(columns) : NULL;
	return ChooseConstraintName(get_rel_name(relid), addition, "check",
								get_rel_namespace(relid), others);
}

/*
 * The name of a primary key or a unique constraint, and of its index.
 */
char *
pgm_online_key_name(Oid relid, const Constraint *constraint)
{
	const bool	isconstraint = true;
	List	   *columns;

	if (constraint->conname != NULL)
		return constraint->conname;
	if (constraint->contype == CONSTR_PRIMARY)
		return ChooseRelationName(get_rel_name(relid), NULL, "pkey", get_rel_namespace(relid),
								  isconstraint);
	columns = list_concat(strings(constraint->keys), strings(constraint->including));
	return ChooseRelationName(get_rel_name(relid), join_names(columns), "key",
							  get_rel_namespace(relid), isconstraint);
}

/*
 * The name of a constraint that says that a column is not null.
 */
char *
pgm_online_not_null_name(Oid relid, const char *column, List *others)
{
	return ChooseConstraintName(get_rel_name(relid), column, "not_null",
								get_rel_namespace(relid), others);
}

/*
 * A relation as the user named it.
 */
char *
pgm_online_relation(const RangeVar *relation)
{
	return quote_qualified_identifier(relation->schemaname, relation->relname);
}

/*
 * A list of columns, from String nodes.
 */
char *
pgm_online_columns(List *names)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, names)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
						 quote_identifier(strVal(lfirst(lc))));
	return buf.data;
}
