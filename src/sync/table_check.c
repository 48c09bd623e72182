/*-------------------------------------------------------------------------
 *
 * table_check.c
 *	  Can a table stand in for another?
 *
 * A row of the new table is made of one row of the old one, by expressions that
 * give the same each time, and is found again by a unique key of the new table.
 * Of two rows of the old table no two may become one.  So the key of the old one
 * has to be among the columns of the new key, as it is, or as a wider integer.
 * What else is in the new key, such as what a partitioned table is divided by,
 * does not matter.  And who has locked a row of the old table has its row of the
 * new one to himself, since nobody writes the one without the other.
 *
 * IDENTIFICATION
 *	  src/sync/table_check.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/guc.h"
#include "base/relation.h"
#include "sync/table.h"

/*
 * The column of the old table whose value an expression has, unchanged but for
 * its type; 0 if it is none.
 */
AttrNumber
pgm_table_image_of(Node *expr)
{
	for (;;)
	{
		if (IsA(expr, RelabelType))
			expr = (Node *) ((RelabelType *) expr)->arg;
		else if (IsA(expr, FuncExpr) && list_length(((FuncExpr *) expr)->args) == 1 &&
				 (((FuncExpr *) expr)->funcid == F_INT4_INT2 ||
				  ((FuncExpr *) expr)->funcid == F_INT8_INT2 ||
				  ((FuncExpr *) expr)->funcid == F_INT8_INT4))
			expr = (Node *) linitial(((FuncExpr *) expr)->args);
		else
			break;
	}
	return IsA(expr, Var) ? ((Var *) expr)->varattno : InvalidAttrNumber;
}

/*
 * Parse and check what a column is made of, as the owner as far as the owner's
 * code may run.  Returns its text as it is kept; that of a mere column is its name.
 */
static char *
check_expression(Relation rel, Form_pg_attribute att, const char *text)
{
	Node	   *expr = pgm_sync_parse_for(rel, RelationGetRelationName(rel), att, text);
	AttrNumber	image = pgm_table_image_of(expr);
	PgmSyncScope scope;
	const bool	new_level = false;

	pgm_sync_enter_owner(rel, new_level, &scope);
	pgm_sync_check(rel, "columns", NameStr(att->attname), expr);
	/* the owner has to have the right to call its functions */
	(void) ExecInitExpr(expression_planner((Expr *) expr), NULL);
	pgm_sync_leave_owner(&scope);
	if (image > 0)
		return pstrdup(quote_identifier(get_attname(RelationGetRelid(rel), image, false)));
	return pgm_sync_deparse(rel, expr);
}

/* What the user says about a column, or NULL. */
static PgmCarried *
find_carried(List *carried, const char *column)
{
	ListCell   *lc;

	foreach(lc, carried)
	{
		PgmCarried *one = (PgmCarried *) lfirst(lc);

		if (strcmp(one->column, column) == 0)
			return one;
	}
	return NULL;
}

/*
 * The text that a column of the new table is made of: what the user says, or a
 * column of the same name; NULL if it is not carried over.
 */
static const char *
text_of(Relation rel, Form_pg_attribute att, List *carried)
{
	PgmCarried *one = find_carried(carried, NameStr(att->attname));

	if (one != NULL && one->expression != NULL && att->attgenerated != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" cannot be carried over, since it is generated",
						NameStr(att->attname))));
	if (one != NULL)
		return one->expression;
	if (att->attgenerated != '\0' ||
		get_attnum(RelationGetRelid(rel), NameStr(att->attname)) <= 0)
		return NULL;
	return quote_identifier(NameStr(att->attname));
}

/*
 * Decide which columns are carried over, and how.
 */
static void
set_columns(PgmTablePair *pair, Relation rel, Relation new, List *carried)
{
	TupleDesc	desc = RelationGetDescr(new);
	ListCell   *lc;

	foreach(lc, carried)
	{
		const char *column = ((PgmCarried *) lfirst(lc))->column;

		if (get_attnum(RelationGetRelid(new), column) <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of relation \"%s\" does not exist", column,
							RelationGetRelationName(new))));
	}
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		const char *text = att->attisdropped ? NULL : text_of(rel, att, carried);

		if (text == NULL)
			continue;
		pair->columns = lappend(pair->columns, pstrdup(NameStr(att->attname)));
		pair->expressions = lappend(pair->expressions, check_expression(rel, att, text));
	}
}

/*
 * Do equal values of a column mean equal ones of the column that it is made of?
 */
static bool
keeps_apart(Oid relid, const char *column, Oid new_relid, const char *new_column)
{
	Oid			collation;
	Oid			new_collation;
	Oid			type;
	int32		typmod;

	get_atttypetypmodcoll(relid, get_attnum(relid, column), &type, &typmod, &collation);
	get_atttypetypmodcoll(new_relid, get_attnum(new_relid, new_column), &type, &typmod,
						  &new_collation);
	return collation == new_collation || !OidIsValid(new_collation) ||
		get_collation_isdeterministic(new_collation);
}

/*
 * Does a unique key of the new table tell all rows apart that a key of the old one
 * does?
 */
static bool
key_fits(const PgmTablePair *pair, List *key, List *new_key)
{
	ListCell   *lc;
	ListCell   *column;

	foreach(column, new_key)
	{
		if (pgm_table_index_of(pair->columns, (char *) lfirst(column)) < 0)
			return false;
	}
	foreach(lc, key)
	{
		const char *image = quote_identifier((char *) lfirst(lc));
		bool		found = false;

		foreach(column, new_key)
			found = found ||
			(strcmp(pgm_table_expression_of(pair, (char *) lfirst(column)), image) == 0 &&
			 keeps_apart(pair->relid, (char *) lfirst(lc), pair->new_relid,
						 (char *) lfirst(column)));
		if (!found)
			return false;
	}
	return true;
}

/* Choose the keys by which rows are found; throws if there are none. */
static void
set_keys(PgmTablePair *pair, List *keys, List *new_keys)
{
	ListCell   *lc;
	ListCell   *other;

	foreach(lc, keys)
	{
		foreach(other, new_keys)
		{
			if (!key_fits(pair, (List *) lfirst(lc), (List *) lfirst(other)))
				continue;
			pair->key = (List *) lfirst(lc);
			pair->new_key = (List *) lfirst(other);
			return;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
			 errmsg("rows of table \"%s\" cannot be told apart in table \"%s\"",
					get_rel_name(pair->relid), get_rel_name(pair->new_relid)),
			 errdetail("That takes a primary key, or a unique index on columns that are NOT NULL, in both tables, and that of the new one has to have all columns of the other, unchanged.")));
}

/*
 * A column whose value an UPDATE cannot set has to be one that none will.
 */
static void
check_identity(const PgmTablePair *pair, Relation new)
{
	TupleDesc	desc = RelationGetDescr(new);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attidentity == ATTRIBUTE_IDENTITY_ALWAYS && !att->attisdropped &&
			pgm_table_index_of(pair->columns, NameStr(att->attname)) >= 0 &&
			pgm_table_index_of(pair->new_key, NameStr(att->attname)) < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
					 errmsg("cannot carry over column \"%s\", since it is GENERATED ALWAYS AS IDENTITY",
							NameStr(att->attname)),
					 errhint("Make it GENERATED BY DEFAULT.")));
	}
}

/* Say which columns the new table does not get. */
static void
report_left_out(const PgmTablePair *pair, Relation rel)
{
	Bitmapset  *reads = NULL;
	TupleDesc	desc = RelationGetDescr(rel);
	StringInfoData buf;
	ListCell   *lc;
	ListCell   *column;
	int			count = 0;

	forboth(lc, pair->expressions, column, pair->columns)
	{
		AttrNumber	attno = get_attnum(pair->new_relid, (char *) lfirst(column));
		Relation	new = RelationIdGetRelation(pair->new_relid);
		Node	   *expr = pgm_sync_parse_for(rel, RelationGetRelationName(rel),
											  TupleDescAttr(RelationGetDescr(new), attno - 1),
											  (char *) lfirst(lc));

		pull_varattnos(expr, 1, &reads);
		RelationClose(new);
	}
	initStringInfo(&buf);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped ||
			bms_is_member(att->attnum - FirstLowInvalidHeapAttributeNumber, reads))
			continue;
		appendStringInfo(&buf, "%s\"%s\"", count++ > 0 ? ", " : "", NameStr(att->attname));
	}
	if (count > 0)
		ereport(NOTICE,
				(errmsg_plural("column %s of table \"%s\" is not carried over",
							   "columns %s of table \"%s\" are not carried over", count, buf.data,
							   RelationGetRelationName(rel))));
}

/*
 * Make a pair of what the user asked for; all of it is checked.  "keys" and
 * "new_keys" are the keys that both tables have, lists of lists of names.
 */
PgmTablePair *
pgm_table_make_pair(Relation rel, Relation new, List *carried, List *keys, List *new_keys)
{
	PgmTablePair *pair = palloc0(sizeof(PgmTablePair));
	TupleDesc	desc = RelationGetDescr(rel);

	pair->relid = RelationGetRelid(rel);
	pair->relation = pgm_relation_name(pair->relid);
	pair->new_relid = RelationGetRelid(new);
	pair->new_relation = pgm_relation_name(pair->new_relid);
	pair->settings = pgm_sync_save_settings();
	for (int i = 0; i < desc->natts; i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped)
			pair->old_columns = lappend(pair->old_columns,
										pstrdup(NameStr(TupleDescAttr(desc, i)->attname)));
	}
	set_columns(pair, rel, new, carried);
	set_keys(pair, keys, new_keys);
	check_identity(pair, new);
	report_left_out(pair, rel);
	return pair;
}
