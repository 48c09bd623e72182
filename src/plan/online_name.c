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

#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_target.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
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
 * What the columns of an index are called, of which these are the names that they
 * would like to have: no two the same.
 */
static List *
distinct_names(List *wanted)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, wanted)
	{
		const char *first = (char *) lfirst(lc);
		char	   *name = pstrdup(first);

		for (int i = 1; pgm_script_has_name(names, name); i++)
		{
			char		number[16];
			int			length;

			snprintf(number, sizeof(number), "%d", i);
			length = pg_mbcliplen(first, strlen(first), NAMEDATALEN - 1 - strlen(number));
			name = psprintf("%.*s%s", length, first, number);
		}
		names = lappend(names, name);
	}
	return names;
}

static List *
wanted_names(List *params)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, params)
	{
		IndexElem  *elem = lfirst_node(IndexElem, lc);
		const char *wanted = elem->name;

		if (wanted == NULL)
			wanted = elem->indexcolname != NULL ? elem->indexcolname : FigureIndexColname(elem->expr);
		names = lappend(names, pstrdup(wanted != NULL ? wanted : "expr"));
	}
	return names;
}

/*
 * May a name be given in a schema?  That of a relation or a constraint, or both.
 */
static bool
is_free(const PgmNames *names, Oid nsp, const char *name, PgmNamed kind)
{
	char	   *qualified = quote_qualified_identifier(get_namespace_name(nsp), name);

	if (pgm_script_has_name(names->taken, qualified))
		return false;
	if (pgm_script_has_name(names->freed, qualified))
		return true;
	return (kind == PGM_NAMED_CONSTRAINT || !OidIsValid(get_relname_relid(name, nsp))) &&
		(kind == PGM_NAMED_RELATION || !ConstraintNameExists(name, nsp));
}

/*
 * Take a name in the schema of a table as the server puts it together, with a
 * number if it has to, or if nothing else would tell it apart.
 */
static char *
choose(PgmNames *names, Oid relid, const char *first, const char *addition, const char *label,
	   PgmNamed kind)
{
	Oid			nsp = get_rel_namespace(relid);
	char	   *name = NULL;

	for (int i = label[0] == '\0' ? 1 : 0; name == NULL || !is_free(names, nsp, name, kind); i++)
		name = makeObjectName(first, addition,
							  i == 0 ? label : psprintf("%s%d", label, i));
	pgm_online_take_name(names, relid, name);
	return name;
}

/*
 * Take the name that the server would give: that of a table, what is added, and
 * what kind it is of.
 */
char *
pgm_online_choose_name(PgmNames *names, Oid relid, const char *addition, const char *label,
					   PgmNamed kind)
{
	return choose(names, relid, get_rel_name(relid), addition, label, kind);
}

/*
 * Take a name for the foreign key that a partition has of its parent, over these
 * columns, where it has a constraint of the parent's name already.
 */
char *
pgm_online_child_key_name(PgmNames *names, Oid relid, const char *above, List *columns)
{
	if (PGM_CHILD_KEY_AFTER_PARENT)
		return choose(names, relid, above, NULL, "", PGM_NAMED_CONSTRAINT);
	return pgm_online_choose_name(names, relid, join_names(columns), "fkey",
								  PGM_NAMED_CONSTRAINT);
}

/*
 * Note that a name will be taken in the schema of a table.
 */
void
pgm_online_take_name(PgmNames *names, Oid relid, const char *name)
{
	char	   *nsp = get_namespace_name(get_rel_namespace(relid));

	names->taken = lappend(names->taken, quote_qualified_identifier(nsp, name));
}

/*
 * Note that a name will be given back.
 */
void
pgm_online_free_name(PgmNames *names, Oid relid, const char *name)
{
	char	   *nsp = get_namespace_name(get_rel_namespace(relid));

	names->freed = lappend(names->freed, quote_qualified_identifier(nsp, name));
}

/*
 * The name of an index on a table that is given none.
 */
char *
pgm_online_index_name(PgmNames *names, Oid relid, List *params)
{
	return pgm_online_choose_name(names, relid, join_names(distinct_names(wanted_names(params))),
								  "idx", PGM_NAMED_RELATION);
}

/*
 * A name for an index that is to become that of a constraint, whose name may still
 * be another index's.
 */
char *
pgm_online_built_name(PgmNames *names, Oid relid, const char *constraint)
{
	PgmNames	now = {.taken = names->built};
	Oid			nsp = get_rel_namespace(relid);
	char	   *name = pstrdup(constraint);

	for (int i = 1; !is_free(&now, nsp, name, PGM_NAMED_RELATION); i++)
		name = makeObjectName(constraint, NULL, psprintf("%d", i));
	names->built = lappend(names->built,
						   quote_qualified_identifier(get_namespace_name(nsp), name));
	return name;
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

/* Columns that an expression of a table names, for find_columns(). */
typedef struct Named
{
	Oid			relid;
	List	   *columns;		/* of char *; "" is the row as a whole */
} Named;

static void
add_column(Named *named, const char *name)
{
	if (!pgm_script_has_name(named->columns, name))
		named->columns = lappend(named->columns, pstrdup(name));
}

/* Is a reference to a row as a whole, as "t.*" or as "t" without such a column? */
static bool
is_whole_row(const Named *named, const ColumnRef *ref)
{
	Node	   *last = llast(ref->fields);

	return IsA(last, A_Star) ||
		(strcmp(strVal(last), get_rel_name(named->relid)) == 0 &&
		 get_attnum(named->relid, strVal(last)) == InvalidAttrNumber);
}

static bool
find_columns(Node *node, Named *named)
{
	if (node == NULL)
		return false;
	if (IsA(node, A_Indirection))
	{
		A_Indirection *field = (A_Indirection *) node;

		/* a field of the row as a whole is a column */
		if (IsA(field->arg, ColumnRef) && IsA(linitial(field->indirection), String) &&
			is_whole_row(named, (ColumnRef *) field->arg))
		{
			add_column(named, strVal(linitial(field->indirection)));
			return false;
		}
	}
	if (IsA(node, ColumnRef))
	{
		ColumnRef  *ref = (ColumnRef *) node;

		add_column(named, is_whole_row(named, ref) ? "" : strVal(llast(ref->fields)));
		return false;
	}
	return raw_expression_tree_walker(node, find_columns, named);
}

/* A check is called after its column, if it has only one. */
static const char *
check_addition(Oid relid, Node *expression)
{
	Named		named = {relid, NIL};

	(void) find_columns(expression, &named);
	if (list_length(named.columns) != 1 || ((char *) linitial(named.columns))[0] == '\0')
		return NULL;
	return (char *) linitial(named.columns);
}

/*
 * Choose the name of a constraint that is given none; "column" is that whose
 * clause it is, or NULL.  Returns NULL if it is of a kind that takes care of itself.
 */
char *
pgm_online_constraint_name(PgmNames *names, Oid relid, const Constraint *constraint,
						   const char *column)
{
	List	   *columns = constraint->contype == CONSTR_FOREIGN ? strings(constraint->fk_attrs) :
		list_concat(strings(constraint->keys), strings(constraint->including));

	if (columns == NIL && column != NULL)
		columns = list_make1(pstrdup(column));
	switch (constraint->contype)
	{
		case CONSTR_FOREIGN:
			return pgm_online_choose_name(names, relid, join_names(columns), "fkey",
										  PGM_NAMED_CONSTRAINT);
		case CONSTR_CHECK:
			return pgm_online_choose_name(names, relid,
										  check_addition(relid, constraint->raw_expr), "check",
										  PGM_NAMED_CONSTRAINT);
		case CONSTR_PRIMARY:
			return pgm_online_choose_name(names, relid, NULL, "pkey", PGM_NAMED_BOTH);
		case CONSTR_UNIQUE:
			return pgm_online_choose_name(names, relid, join_names(distinct_names(columns)), "key",
										  PGM_NAMED_BOTH);
		default:
			return NULL;
	}
}

/*
 * The names of the constraints of a command, of keys or of others.
 */
static void
name_constraints(PgmAlteration *alteration, AlterTableCmd *cmd, bool keys)
{
	ColumnDef  *def = cmd->subtype == AT_AddColumn ? (ColumnDef *) cmd->def : NULL;
	List	   *constraints = def != NULL ? def->constraints : list_make1(cmd->def);
	ListCell   *lc;

	if (pgm_online_column_is_there(alteration, cmd))
		return;
	foreach(lc, constraints)
	{
		Constraint *constraint = lfirst_node(Constraint, lc);
		bool		is_a_key = constraint->contype == CONSTR_PRIMARY ||
			constraint->contype == CONSTR_UNIQUE;

		if (is_a_key != keys)
			continue;
		if (constraint->conname != NULL)
			pgm_online_take_name(&alteration->names, alteration->relid, constraint->conname);
		else if (constraint->indexname == NULL)
		{
			constraint->conname = pgm_online_constraint_name(&alteration->names, alteration->relid,
															 constraint,
															 def != NULL ? def->colname : NULL);
			alteration->unnamed = lappend(alteration->unnamed, constraint);
		}
	}
}

/*
 * Choose all names that the user did not, in the server's order: keys before
 * others, and of each those of new columns first.
 */
void
pgm_online_name_all(PgmAlteration *alteration)
{
	static const AlterTableType types[] = {AT_AddColumn, AT_AddConstraint};
	ListCell   *lc;

	foreach(lc, alteration->stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_DropConstraint)
			pgm_online_free_name(&alteration->names, alteration->relid, cmd->name);
	}
	for (int i = 0; i < 2 * lengthof(types); i++)
	{
		const bool	keys = i < lengthof(types);

		foreach(lc, alteration->stmt->cmds)
		{
			AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

			if (cmd->subtype == types[i % lengthof(types)])
				name_constraints(alteration, cmd, keys);
		}
	}
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
