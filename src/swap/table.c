/*-------------------------------------------------------------------------
 *
 * table.c
 *	  One table in the place of another.
 *
 * The new table has all rows, and the old one, which nobody writes or reads any
 * more, since it is locked, gives it its name.  What the new table looks like,
 * with its keys, indexes and constraints, is what the user has made it.  What
 * others have of the old one goes over: privileges, sequences, comments, views.
 * A foreign key that refers to it cannot, as its rows would have to be checked
 * under the lock; it goes if another one, for the same columns, refers to the new
 * table already.  Whatever else hangs on the old table is in the way.
 *
 * IDENTIFICATION
 *	  src/swap/table.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "base/args.h"
#include "base/guc.h"
#include "base/relation.h"
#include "swap/swap.h"
#include "swap/table.h"

/*
 * In these queries, $1 is the old table, $2 the new one, and $3 and $4 are the
 * columns of both that have the same values, in the same order.
 */

/* Names of columns of the new table, for numbers of the old one. */
#define MAPPED(numbers, table) \
	"ARRAY(SELECT m.new FROM unnest(" numbers ") WITH ORDINALITY AS k (attnum, n)" \
	" JOIN pg_attribute a ON a.attrelid = " table " AND a.attnum = k.attnum" \
	" LEFT JOIN unnest($3, $4) AS m (old, new) ON m.old = a.attname ORDER BY k.n)"

/* Names of columns, for their numbers. */
#define NAMES(numbers, table) \
	"ARRAY(SELECT a.attname::text FROM unnest(" numbers ") WITH ORDINALITY AS k (attnum, n)" \
	" JOIN pg_attribute a ON a.attrelid = " table " AND a.attnum = k.attnum ORDER BY k.n)"

/*
 * Foreign keys f that refer to the old table, and for each one e that does the
 * same for the new one.
 */
#define REFERENCES_TO_OLD \
	" FROM pg_constraint f LEFT JOIN LATERAL (SELECT e.conname FROM pg_constraint e" \
	"  WHERE e.contype = 'f' AND e.conrelid = f.conrelid AND e.confrelid = $2 AND e.convalidated" \
	"  AND e.conkey = f.conkey AND " NAMES("e.confkey", "$2") " = " MAPPED("f.confkey", "$1") \
	"  AND (e.confupdtype, e.confdeltype) = (f.confupdtype, f.confdeltype)" \
	"  ORDER BY e.conname LIMIT 1) e ON true" \
	" WHERE f.contype = 'f' AND f.confrelid = $1 AND f.conrelid <> $1 AND f.conparentid = 0"

/* Views that read the old table. */
#define VIEWS_OF_OLD \
	"SELECT DISTINCT v.oid FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid" \
	" JOIN pg_class v ON v.oid = r.ev_class" \
	" WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass" \
	" AND d.refobjid = $1 AND v.relkind = 'v' AND r.rulename = '_RETURN'"

static void
select_rows(const PgmTableSwap *swap, const char *query)
{
	Oid			types[4] = {OIDOID, OIDOID, TEXTARRAYOID, TEXTARRAYOID};
	Datum		values[4];
	const bool	read_only = false;

	values[0] = ObjectIdGetDatum(swap->relid);
	values[1] = ObjectIdGetDatum(swap->new_relid);
	values[2] = pgm_args_text_array(swap->columns);
	values[3] = pgm_args_text_array(swap->new_columns);
	if (SPI_execute_with_args(query, 4, types, values, NULL, read_only, 0) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of query: %s", query);
}

/*
 * The first column of what a query returns, as char *, in the given context.
 * Called with SPI connected.
 */
List *
pgm_swap_table_texts(const PgmTableSwap *swap, const char *query, MemoryContext cxt)
{
	List	   *result = NIL;

	select_rows(swap, query);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(cxt);

		result = lappend(result, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
		MemoryContextSwitchTo(old);
	}
	return result;
}

/* The same as lines of a detail, or NULL if there is none. */
static char *
lines_of(const PgmTableSwap *swap, const char *query)
{
	MemoryContext caller = CurrentMemoryContext;
	int			guc_level = NewGUCNestLevel();
	const bool	keep_settings = false;
	StringInfoData buf;
	List	   *lines;
	ListCell   *lc;

	pgm_guc_pin_search_path();
	SPI_connect();
	lines = pgm_swap_table_texts(swap, query, caller);
	SPI_finish();
	AtEOXact_GUC(keep_settings, guc_level);
	if (lines == NIL)
		return NULL;
	initStringInfo(&buf);
	foreach(lc, lines)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? "\n" : "", (char *) lfirst(lc));
	return buf.data;
}

/*
 * Other relations that change with the two tables, as OIDs.
 */
List *
pgm_swap_table_others(const PgmTableSwap *swap)
{
	MemoryContext caller = CurrentMemoryContext;
	int			guc_level = NewGUCNestLevel();
	const bool	keep_settings = false;
	List	   *others = NIL;
	ListCell   *lc;

	pgm_guc_pin_search_path();
	SPI_connect();
	foreach(lc, pgm_swap_table_texts(swap, "SELECT DISTINCT f.conrelid" REFERENCES_TO_OLD
									 " UNION " VIEWS_OF_OLD " ORDER BY 1", caller))
	{
		MemoryContext old = MemoryContextSwitchTo(caller);

		others = list_append_unique_oid(others, (Oid) strtoul((char *) lfirst(lc), NULL, 10));
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	AtEOXact_GUC(keep_settings, guc_level);
	return others;
}

/* What refers to the old table and cannot go over to the new one. */
static const char *
dependents_query(void)
{
	return "SELECT pg_describe_object('pg_constraint'::regclass, f.oid, 0)" REFERENCES_TO_OLD
		" AND e.conname IS NULL"
		" UNION SELECT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_depend d"
		" WHERE d.deptype = 'n' AND ((d.refclassid = 'pg_class'::regclass AND d.refobjid = $1)"
		"  OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN"
		"   (SELECT unnest(ARRAY[t.oid, t.typarray]) FROM pg_type t WHERE t.typrelid = $1)))"
		" AND NOT CASE d.classid"
		"  WHEN 'pg_constraint'::regclass THEN EXISTS (SELECT FROM pg_constraint c"
		"   WHERE c.oid = d.objid AND (c.conrelid = $1 OR c.contype = 'f'))"
		"  WHEN 'pg_attrdef'::regclass THEN EXISTS (SELECT FROM pg_attrdef a"
		"   WHERE a.oid = d.objid AND a.adrelid = $1)"
		"  WHEN 'pg_trigger'::regclass THEN EXISTS (SELECT FROM pg_trigger t"
		"   WHERE t.oid = d.objid AND t.tgrelid = $1)"
		"  WHEN 'pg_policy'::regclass THEN EXISTS (SELECT FROM pg_policy p"
		"   WHERE p.oid = d.objid AND p.polrelid = $1)"
		"  WHEN 'pg_rewrite'::regclass THEN EXISTS (SELECT FROM pg_rewrite r"
		"   JOIN pg_class v ON v.oid = r.ev_class WHERE r.oid = d.objid AND (v.oid = $1"
		"   OR (v.relkind = 'v' AND r.rulename = '_RETURN' AND pg_has_role(v.relowner, 'USAGE'))))"
		"  WHEN 'pg_class'::regclass THEN d.objid IN ($1, $2)"
		"  ELSE false END"
		" ORDER BY 1";
}

/* What the old table has by itself, and the new one has not. */
static const char *
missing_query(void)
{
	return "SELECT pg_describe_object('pg_trigger'::regclass, t.oid, 0) FROM pg_trigger t"
		" WHERE t.tgrelid = $1 AND NOT t.tgisinternal"
		" AND t.tgname <> ALL (ARRAY['zzz_pgmigrate_carry', 'zzz_pgmigrate_truncate'])"
		" AND NOT EXISTS (SELECT FROM pg_trigger n WHERE n.tgrelid = $2 AND n.tgname = t.tgname)"
		" UNION SELECT pg_describe_object('pg_policy'::regclass, p.oid, 0) FROM pg_policy p"
		" WHERE p.polrelid = $1 AND NOT EXISTS (SELECT FROM pg_policy n"
		"  WHERE n.polrelid = $2 AND n.polname = p.polname)"
		" UNION SELECT 'row security' FROM pg_class o JOIN pg_class n ON n.oid = $2"
		" WHERE o.oid = $1 AND o.relrowsecurity AND NOT n.relrowsecurity"
		" UNION SELECT pg_describe_object('pg_constraint'::regclass, f.oid, 0) FROM pg_constraint f"
		" WHERE f.contype = 'f' AND f.conrelid = $1 AND NOT EXISTS (SELECT FROM pg_constraint e"
		"  WHERE e.contype = 'f' AND e.conrelid = $2"
		"  AND e.confrelid = CASE f.confrelid WHEN $1 THEN $2 ELSE f.confrelid END"
		"  AND " NAMES("e.conkey", "$2") " = " MAPPED("f.conkey", "$1") ")"
		" UNION SELECT pg_describe_object('pg_publication'::regclass, p.prpubid, 0)"
		" FROM pg_publication_rel p WHERE p.prrelid = $1 AND NOT EXISTS"
		" (SELECT FROM pg_publication_rel n WHERE n.prrelid = $2 AND n.prpubid = p.prpubid)"
		" ORDER BY 1";
}

/*
 * Throw if something would go on with the old table, or, unless forced, be lost
 * with it.
 */
void
pgm_swap_table_check(const PgmTableSwap *swap, bool force)
{
	char	   *lines = lines_of(swap, dependents_query());

	if (lines != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot put table \"%s\" in the place of table \"%s\" because other objects depend on that one",
						get_rel_name(swap->new_relid), get_rel_name(swap->relid)),
				 errdetail_internal("%s", lines),
				 errhint("Add foreign keys to table \"%s\" for those listed, and validate them; drop what else there is, and make it again afterwards.",
						 get_rel_name(swap->new_relid))));
	lines = force ? NULL : lines_of(swap, missing_query());
	if (lines != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" lacks what table \"%s\" has",
						get_rel_name(swap->new_relid), get_rel_name(swap->relid)),
				 errdetail_internal("%s", lines),
				 errhint("Make them for table \"%s\" too; with \"force => true\" it takes the other's place all the same.",
						 get_rel_name(swap->new_relid))));
}

static void
run_all(List *commands)
{
	ListCell   *lc;

	foreach(lc, commands)
		pgm_swap_run("%s", (char *) lfirst(lc));
}

/*
 * Put the new table in the place of the old one, which is kept by another name.
 * Both, and the others that change with them, are locked; the caller owns them.
 */
void
pgm_swap_table(const PgmTableSwap *swap)
{
	MemoryContext caller = CurrentMemoryContext;
	int			guc_level = NewGUCNestLevel();
	const bool	keep_settings = false;
	const bool	for_constraint = false;
	char	   *name = get_rel_name(swap->relid);
	const char *keep = swap->keep != NULL ? swap->keep :
		ChooseRelationName(name, NULL, "old", get_rel_namespace(swap->relid), for_constraint);
	List	   *views;
	List	   *drops;
	List	   *renames;

	pgm_guc_pin_search_path();
	SPI_connect();
	views = pgm_swap_table_texts(swap, "SELECT format('CREATE OR REPLACE VIEW %s%s AS %s', v.oid::regclass,"
								 " ' WITH (' || array_to_string(v.reloptions, ', ') || ')',"
								 " pg_get_viewdef(v.oid)) FROM pg_class v"
								 " WHERE v.oid IN (" VIEWS_OF_OLD ") ORDER BY v.oid", caller);
	drops = pgm_swap_table_texts(swap, "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I',"
								 " f.conrelid::regclass, f.conname)" REFERENCES_TO_OLD
								 " ORDER BY f.oid", caller);
	renames = pgm_swap_table_texts(swap, "SELECT format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I',"
								   " f.conrelid::regclass, e.conname, f.conname)"
								   REFERENCES_TO_OLD " ORDER BY f.oid", caller);
	run_all(drops);
	run_all(renames);
	pgm_swap_table_carry(swap);
	pgm_swap_run("ALTER TABLE %s RENAME TO %s", pgm_relation_name(swap->relid),
				 quote_identifier(keep));
	pgm_swap_run("ALTER TABLE %s RENAME TO %s", pgm_relation_name(swap->new_relid),
				 quote_identifier(name));
	run_all(views);
	SPI_finish();
	AtEOXact_GUC(keep_settings, guc_level);
}
