/*-------------------------------------------------------------------------
 *
 * online_shadow.c
 *	  What a column becomes when its type changes: the value of each row, and the
 *	  definitions of all that is built for it.
 *
 * The server changes a type by taking the definitions of indexes and constraints
 * apart into text, as they are, and reading them again with the new type in
 * place.  The same is done here, for another column beside the first: the text
 * is the server's own, with the name of the other column where that of the first
 * one was.  To have it so, the column is renamed in a subtransaction that is
 * rolled back, in the catalog only, without a lock that anybody waits for.
 *
 * All names in these texts are qualified, and the expression of the user's too:
 * functions and operators stay those that the user meant, whatever search_path
 * they are read with.
 *
 * IDENTIFICATION
 *	  src/plan/online_shadow.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_oper.h"
#include "parser/parse_relation.h"
#include "parser/parse_type.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/relation.h"
#include "base/subxact.h"
#include "plan/online.h"

/*
 * Give the column of a table the name of its stand-in, for this subtransaction.
 */
static void
rename_column(const PgmTypeChange *change, const PgmDependents *found)
{
	Relation	attributes = table_open(AttributeRelationId, RowExclusiveLock);
	HeapTuple	tuple = SearchSysCacheCopy2(ATTNUM, ObjectIdGetDatum(found->relid),
											Int16GetDatum(found->attnum));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for attribute %d of relation %u",
			 found->attnum, found->relid);
	namestrcpy(&((Form_pg_attribute) GETSTRUCT(tuple))->attname, change->shadow);
	CatalogTupleUpdate(attributes, &tuple->t_self, tuple);
	table_close(attributes, RowExclusiveLock);
	CommandCounterIncrement();
}

/*
 * A step for an index.  In a tree of partitions these go with the column, if it
 * comes to that: one by one, the server would not let them.
 */
static void
add_index_step(PgmTypeChange *change, PgmHold hold, const char *why, char *sql)
{
	pgm_online_add(&change->indexes, hold, why, sql);
	if (change->found->partitions != NIL)
		((PgmPlanStep *) llast(change->indexes))->undo = "";
}

/*
 * The stand-in of a partition's index becomes part of that of the table above.
 */
static void
attach_index(PgmTypeChange *change, Oid index, const char *stand_in)
{
	const bool	even_if_detached = false;
	Oid			parent = get_partition_parent(index, even_if_detached);
	char	   *above = pgm_dependents_stand_in(get_rel_name(parent));

	if (OidIsValid(get_index_constraint(parent)))
		return;
	add_index_step(change, PGM_HOLD_BRIEF, PGM_ATTACH_WHY,
				   psprintf("ALTER INDEX %s ATTACH PARTITION %s",
							quote_qualified_identifier(get_namespace_name(get_rel_namespace(parent)), above),
							quote_qualified_identifier(get_namespace_name(get_rel_namespace(index)), stand_in)));
}

/*
 * An index, under the name of its stand-in.  A partitioned table's has no content;
 * one that belongs to a constraint has to wait for the swap, since the server
 * makes no such constraint of an index.
 */
static void
read_index(PgmTypeChange *change, Oid index)
{
	bool		partitioned = get_rel_relkind(index) == RELKIND_PARTITIONED_INDEX;
	char	   *name = get_rel_name(index);
	char	   *definition = pg_get_indexdef_string(index);
	bool		unique = strncmp(definition, "CREATE UNIQUE", strlen("CREATE UNIQUE")) == 0;
	const char *create = unique ? "CREATE UNIQUE INDEX" : "CREATE INDEX";
	char	   *stand_in = pgm_dependents_stand_in(name);

	if (OidIsValid(get_relname_relid(stand_in, get_rel_namespace(index))))
		change->obstacle = psprintf("there is a relation \"%s\" already", stand_in);
	definition += strlen(create) + 1 + strlen(quote_identifier(name));
	if (partitioned && OidIsValid(get_index_constraint(index)))
		return;
	if (partitioned)
		definition = psprintf(" ON ONLY %s", definition + strlen(" ON "));
	add_index_step(change, partitioned ? PGM_HOLD_BRIEF : PGM_HOLD_BUILD,
				   partitioned ? PGM_ATTACH_WHY : PGM_BUILD_WHY,
				   psprintf("%s %s%s%s", create, partitioned ? "" : "CONCURRENTLY ",
							quote_identifier(stand_in), definition));
	if (get_rel_relispartition(index))
		attach_index(change, index, stand_in);
}

/*
 * A constraint, to be added without looking at the rows; for a key, its index.  The
 * foreign key of a partitioned table is added in the swap, and takes those that its
 * partitions have by then.
 */
static void
read_constraint(PgmTypeChange *change, Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Form_pg_constraint form;
	PgmStandIn *stand_in;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	if (form->contype == CONSTRAINT_PRIMARY || form->contype == CONSTRAINT_UNIQUE)
		read_index(change, form->conindid);
	else if (form->contype != CONSTRAINT_FOREIGN ||
			 get_rel_relkind(form->conrelid) != RELKIND_PARTITIONED_TABLE)
	{
		stand_in = palloc(sizeof(PgmStandIn));
		stand_in->table = form->conrelid == change->found->relid ? NULL :
			pgm_relation_name(form->conrelid);
		stand_in->name = pgm_dependents_stand_in(NameStr(form->conname));
		stand_in->definition = TextDatumGetCString(DirectFunctionCall1(pg_get_constraintdef,
																	   ObjectIdGetDatum(constraint)));
		stand_in->valid = form->convalidated;
		if (OidIsValid(get_relation_constraint_oid(form->conrelid, stand_in->name, true)))
			change->obstacle = psprintf("there is a constraint \"%s\" already", stand_in->name);
		if (form->contype == PGM_CONSTRAINT_NOT_NULL)
			change->not_nulls = lappend(change->not_nulls, stand_in);
		else
			change->constraints = lappend(change->constraints, stand_in);
	}
	ReleaseSysCache(tuple);
}

/*
 * The definitions of what hangs on the column, with the other name.
 */
static void
read_dependents(PgmTypeChange *change)
{
	List	   *all = pgm_dependents_all(change->found);
	ListCell   *table;
	ListCell   *lc;

	foreach(table, all)
		rename_column(change, (PgmDependents *) lfirst(table));
	foreach(table, all)
	{
		const PgmDependents *found = (PgmDependents *) lfirst(table);

		foreach(lc, found->constraints)
		{
			if (!pgm_dependents_is_inherited(lfirst_oid(lc)))
				read_constraint(change, lfirst_oid(lc));
		}
		foreach(lc, found->indexes)
			read_index(change, lfirst_oid(lc));
	}
}

/* The type of a column once the type has changed. */
static Oid
type_then(const PgmTypeChange *change, const PgmDependents *found, Oid relid, AttrNumber attnum)
{
	return relid == found->relid && attnum == found->attnum ? change->type_id :
		get_atttype(relid, attnum);
}

/*
 * Can the columns at both ends of a table's foreign keys be compared then?
 */
static void
check_foreign_keys(PgmTypeChange *change, const PgmDependents *found)
{
	ListCell   *lc;

	foreach(lc, found->constraints)
	{
		HeapTuple	tuple;
		Form_pg_constraint form;
		AttrNumber	from[INDEX_MAX_KEYS];
		AttrNumber	to[INDEX_MAX_KEYS];
		int			count = 0;

		if (!OidIsValid(pgm_dependents_other_table(found, lfirst_oid(lc))))
			continue;
		tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(lfirst_oid(lc)));
		form = (Form_pg_constraint) GETSTRUCT(tuple);
		DeconstructFkConstraintRow(tuple, &count, from, to, NULL, NULL, NULL, NULL, NULL);
		for (int i = 0; i < count; i++)
		{
			Operator	equal = oper(NULL, list_make1(makeString("=")),
									 type_then(change, found, form->confrelid, to[i]),
									 type_then(change, found, form->conrelid, from[i]), true, -1);

			if (equal == NULL)
				change->obstacle = psprintf("foreign key \"%s\" would compare values of different types",
											NameStr(form->conname));
			else
				ReleaseSysCache(equal);
		}
		if (!pgm_relation_is_owned(form->conrelid, change->user))
			change->obstacle = psprintf("foreign key \"%s\" is one of another owner's table",
										NameStr(form->conname));
		ReleaseSysCache(tuple);
	}
}

/*
 * Can the column of a table come empty, with the type, and take over what the old
 * one has?
 */
static void
check_column(PgmTypeChange *change, const PgmDependents *found, Relation rel)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), found->attnum - 1);
	Node	   *value;

	if (get_typtype(change->type_id) == TYPTYPE_DOMAIN &&
		(DomainHasConstraints(change->type_id) || get_typdefault(change->type_id) != NULL))
		change->obstacle = "a domain that has constraints or a default cannot be added without writing the table anew";
	if (att->attidentity != '\0' && change->type_id != INT2OID && change->type_id != INT4OID &&
		change->type_id != INT8OID)
		change->obstacle = "an identity column has to be of an integer type";
	if (get_attnum(found->relid, change->shadow) != InvalidAttrNumber)
		change->obstacle = psprintf("there is a column \"%s\" already", change->shadow);
	if (!att->atthasdef || change->drops_default)
		return;
	value = strip_implicit_coercions(build_column_default(rel, found->attnum));
	if (coerce_to_target_type(NULL, value, exprType(value), change->type_id, change->type_mod,
							  COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1) == NULL)
		change->obstacle = "the default of the column cannot be converted to the type";
}

/*
 * What the value of each row is computed from, and how.
 */
static void
read_value(PgmTypeChange *change, ParseState *pstate, Relation rel)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), change->found->attnum - 1);
	const ColumnDef *def = change->def;
	Node	   *coerced;
	int			attnum = -1;

	if (def->raw_default != NULL)
		change->expr = transformExpr(pstate, copyObject(def->raw_default),
									 EXPR_KIND_ALTER_COL_TRANSFORM);
	else
		change->expr = (Node *) makeVar(1, att->attnum, att->atttypid, att->atttypmod,
										att->attcollation, 0);
	coerced = coerce_to_target_type(pstate, copyObject(change->expr), exprType(change->expr),
									change->type_id, change->type_mod,
									COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (coerced == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" cannot be cast automatically to type %s",
						change->column, format_type_be(change->type_id))));
	assign_expr_collations(pstate, change->expr);
	assign_expr_collations(pstate, coerced);
	if (contain_volatile_functions(coerced))
		change->obstacle = "the new values come from a volatile function";
	change->stable = contain_mutable_functions(coerced);

	pull_varattnos(coerced, 1, &change->reads);
	while ((attnum = bms_next_member(change->reads, attnum)) >= 0)
	{
		AttrNumber	read = attnum + FirstLowInvalidHeapAttributeNumber;

		if (read <= 0)
			change->obstacle = "the new values come from the row as a whole, or from where it is";
		else
			change->sources = lappend(change->sources,
									  get_attname(change->found->relid, read, false));
	}
	if (change->sources == NIL)
		change->sources = list_make1(unconstify(char *, change->column));
}

/*
 * Can it be done to the table, and to its partitions?
 */
static void
check_tables(PgmTypeChange *change)
{
	ListCell   *lc;

	foreach(lc, pgm_dependents_all(change->found))
	{
		const PgmDependents *found = (PgmDependents *) lfirst(lc);
		Relation	rel = table_open(found->relid, AccessShareLock);

		check_column(change, found, rel);
		check_foreign_keys(change, found);
		table_close(rel, NoLock);
	}
}

/*
 * All of it, as the owner of the table, for pgm_subxact_run().
 */
static void
read_change(void *arg)
{
	PgmTypeChange *change = (PgmTypeChange *) arg;
	Oid			relid = change->found->relid;
	Relation	rel = table_open(relid, AccessShareLock);
	ParseState *pstate = make_parsestate(NULL);
	int			guc_level;
	PgmOwnerRights rights;

	pgm_probe_enter_owner(&rights, pgm_relation_owner(relid));
	addNSItemToQuery(pstate, addRangeTableEntryForRelation(pstate, rel, AccessShareLock, NULL,
														   false, true),
					 false, true, true);
	typenameTypeIdAndMod(pstate, change->def->typeName, &change->type_id, &change->type_mod);
	read_value(change, pstate, rel);
	check_tables(change);

	guc_level = NewGUCNestLevel();
	pgm_guc_pin_search_path();
	change->value = deparse_expression(change->expr,
									   deparse_context_for(RelationGetRelationName(rel), relid),
									   false, false);
	table_close(rel, AccessShareLock);
	if (change->obstacle == NULL)
		read_dependents(change);
	AtEOXact_GUC(false, guc_level);
	pgm_probe_leave_owner(&rights);
}

/*
 * Find out what a column becomes.  False if the server refuses the change, and
 * so will say why when it is asked to do it.
 */
bool
pgm_online_read_change(PgmTypeChange *change)
{
	const bool	keep = false;
	ErrorData  *error = pgm_subxact_run(read_change, change, keep);

	if (error != NULL && pgm_subxact_must_stop(error))
		ReThrowError(error);
	return error == NULL;
}
