/*-------------------------------------------------------------------------
 *
 * table_verify.c
 *	  Rows that are not the same in a table and in the one that is to take its
 *	  place.
 *
 * First the old table is gone through: each row has to be in the new one, as it is
 * made now, by image.  Then the new one, for rows that no row of the old one is
 * made into.  Both in the order of the keys and a range at a time, each with a
 * snapshot of its own, which sees a row in both tables or in none: a write and
 * what is carried over are one transaction.  A row that goes to another key
 * meanwhile may be missed; it is carried over by that very write.
 *
 * IDENTIFICATION
 *	  src/sync/table_verify.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/guc.h"
#include "base/relation.h"
#include "sync/table.h"

/* Rows that are looked at with one snapshot. */
#define RANGE_ROWS	10000

/* A way through a table by a key, and where it is. */
typedef struct Walk
{
	Oid			relid;
	const char *alias;
	List	   *key;
	Oid			types[INDEX_MAX_KEYS];
	Datum		from[INDEX_MAX_KEYS];	/* after this key, unless "first" */
	Datum		to[INDEX_MAX_KEYS]; /* up to this one, unless "last" */
	bool		first;
	bool		last;
	MemoryContext cxt;
} Walk;

typedef struct Search
{
	const PgmTablePair *pair;
	Oid			relid;
	Oid			new_relid;
	int			limit;
	List	   *found;			/* of PgmTableDifference * */
	MemoryContext cxt;
} Search;

/* Columns of an alias, "what" in front of each name, with commas. */
static char *
column_list(const char *alias, const char *what, List *columns)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, columns)
		appendStringInfo(&buf, "%s%s.%s", buf.len > 0 ? ", " : "", alias,
						 quote_identifier(psprintf("%s%s", what, (char *) lfirst(lc))));
	return buf.data;
}

/* The same as one value: the column, or a row of them. */
static char *
as_one(const char *alias, List *columns)
{
	return psprintf(list_length(columns) == 1 ? "%s" : "ROW(%s)", column_list(alias, "", columns));
}

static char *
parameters(int first, int count)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < count; i++)
		appendStringInfo(&buf, "%s$%d", i == 0 ? "" : ", ", first + i);
	return buf.data;
}

static void
begin_walk(Walk *walk, Oid relid, const char *alias, List *key)
{
	memset(walk, 0, sizeof(Walk));
	walk->relid = relid;
	walk->alias = alias;
	walk->key = key;
	walk->first = true;
	walk->cxt = CurrentMemoryContext;
	for (int i = 0; i < list_length(key); i++)
		walk->types[i] = get_atttype(relid, get_attnum(relid, (char *) list_nth(key, i)));
}

/*
 * The condition that a row is in the range at hand; sets parameters.
 */
static char *
range_condition(const Walk *walk, Oid *types, Datum *values, int *nargs)
{
	char	   *row = column_list(walk->alias, "", walk->key);
	int			n = list_length(walk->key);
	StringInfoData buf;

	initStringInfo(&buf);
	*nargs = 0;
	appendStringInfoString(&buf, "true");
	for (int end = 0; end < 2; end++)
	{
		if (end == 0 ? walk->first : walk->last)
			continue;
		appendStringInfo(&buf, " AND (%s) %s (%s)", row, end == 0 ? ">" : "<=",
						 parameters(*nargs + 1, n));
		memcpy(types + *nargs, walk->types, sizeof(Oid) * n);
		memcpy(values + *nargs, end == 0 ? walk->from : walk->to, sizeof(Datum) * n);
		*nargs += n;
	}
	return buf.data;
}

static void
select_rows(const char *query, int nargs, Oid *types, Datum *values)
{
	const bool	read_only = false;

	if (SPI_execute_with_args(query, nargs, types, values, NULL, read_only, 0) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of query: %s", query);
}

/* Find where the range at hand ends, which has begun. */
static void
find_end(Walk *walk)
{
	Oid			types[2 * INDEX_MAX_KEYS];
	Datum		values[2 * INDEX_MAX_KEYS];
	char	   *row = column_list(walk->alias, "", walk->key);
	char	   *condition;
	int			nargs;

	walk->last = true;
	condition = range_condition(walk, types, values, &nargs);
	select_rows(psprintf("SELECT %s FROM %s AS %s WHERE %s ORDER BY %s OFFSET %d LIMIT 1", row,
						 pgm_relation_name(walk->relid), walk->alias, condition, row,
						 RANGE_ROWS - 1), nargs, types, values);
	walk->last = SPI_processed == 0;
	for (int i = 0; i < list_length(walk->key) && !walk->last; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(walk->cxt);
		int16		length;
		bool		by_value;
		bool		isnull;

		get_typlenbyval(walk->types[i], &length, &by_value);
		walk->to[i] = datumCopy(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1,
											  &isnull), by_value, length);
		MemoryContextSwitchTo(old);
	}
}

/* Go on behind the range at hand. */
static void
next_range(Walk *walk)
{
	memcpy(walk->from, walk->to, sizeof(walk->from));
	walk->first = false;
}

static char *
copy_value(const Search *search, uint64 row, int column)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);

	return value == NULL ? NULL : MemoryContextStrdup(search->cxt, value);
}

/* Keep what a query has found. */
static void
keep_found(Search *search)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		PgmTableDifference *difference = MemoryContextAlloc(search->cxt,
															sizeof(PgmTableDifference));
		MemoryContext old;

		difference->key = copy_value(search, i, 1);
		difference->old_row = copy_value(search, i, 2);
		difference->new_row = copy_value(search, i, 3);
		old = MemoryContextSwitchTo(search->cxt);
		search->found = lappend(search->found, difference);
		MemoryContextSwitchTo(old);
	}
}

/*
 * Rows of a range of the old table, as they are made for the new one: columns with
 * "made_" in front.
 */
static char *
made_rows(const Search *search, const char *condition)
{
	const PgmTablePair *pair = search->pair;
	StringInfoData buf;
	ListCell   *lc;
	ListCell   *column;

	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT (%s)::pg_catalog.text AS pgm_key",
					 as_one("pgm_old", pair->key));
	forboth(lc, pair->expressions, column, pair->columns)
		appendStringInfo(&buf, ", CAST((%s) AS %s) AS %s", (char *) lfirst(lc),
						 pgm_table_type(search->new_relid, (char *) lfirst(column)),
						 quote_identifier(psprintf("made_%s", (char *) lfirst(column))));
	appendStringInfo(&buf, " FROM ONLY %s AS pgm_old WHERE %s",
					 pgm_relation_name(search->relid), condition);
	return buf.data;
}

/* The query for rows of a range of the old table that are not so in the new one. */
static char *
changed_rows(const Search *search, const char *condition)
{
	const PgmTablePair *pair = search->pair;
	const char *some = psprintf("pgm_new.%s",
								quote_identifier((char *) linitial(pair->new_key)));
	char	   *made = column_list("pgm_made", "made_", pair->columns);
	char	   *have = column_list("pgm_new", "", pair->columns);
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT pgm_key, ROW(%s)::pg_catalog.text,"
					 " CASE WHEN %s IS NOT NULL THEN ROW(%s)::pg_catalog.text END"
					 " FROM (%s) AS pgm_made LEFT JOIN %s AS pgm_new ON true",
					 made, some, have, made_rows(search, condition),
					 pgm_relation_name(search->new_relid));
	foreach(lc, pair->new_key)
	{
		char	   *column = (char *) lfirst(lc);

		appendStringInfo(&buf, " AND pgm_new.%s %s pgm_made.%s", quote_identifier(column),
						 pgm_table_equals(search->new_relid, column, search->new_relid, column),
						 quote_identifier(psprintf("made_%s", column)));
	}
	appendStringInfo(&buf, " WHERE %s IS NULL OR ROW(%s)::pg_catalog.record"
					 " OPERATOR(pg_catalog.*<>) ROW(%s)::pg_catalog.record LIMIT %d",
					 some, have, made, search->limit - list_length(search->found));
	return buf.data;
}

/* The query for rows of a range of the new table that no row is made into. */
static char *
extra_rows(const Search *search, const char *condition)
{
	const PgmTablePair *pair = search->pair;
	StringInfoData buf;
	ListCell   *lc;
	const char *separator = "";

	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT (%s)::pg_catalog.text, NULL, ROW(%s)::pg_catalog.text"
					 " FROM %s AS pgm_new WHERE %s AND NOT EXISTS"
					 " (SELECT FROM ONLY %s AS pgm_old WHERE ",
					 as_one("pgm_new", pair->new_key), column_list("pgm_new", "", pair->columns),
					 pgm_relation_name(search->new_relid), condition,
					 pgm_relation_name(search->relid));
	foreach(lc, pair->new_key)
	{
		char	   *column = (char *) lfirst(lc);
		const char *expression = pgm_table_expression_of(pair, column);
		const char *key = NULL;
		ListCell   *cell;

		/* with an index, if it is the very key of the old table */
		foreach(cell, pair->key)
		{
			if (strcmp(quote_identifier((char *) lfirst(cell)), expression) == 0)
				key = (char *) lfirst(cell);
		}
		if (key != NULL)
			appendStringInfo(&buf, "%spgm_old.%s %s pgm_new.%s", separator, expression,
							 pgm_table_equals(search->relid, key, search->new_relid, column),
							 quote_identifier(column));
		else
			appendStringInfo(&buf, "%sCAST((%s) AS %s) %s pgm_new.%s", separator, expression,
							 pgm_table_type(search->new_relid, column),
							 pgm_table_equals(search->new_relid, column, search->new_relid, column),
							 quote_identifier(column));
		separator = " AND ";
	}
	appendStringInfo(&buf, ") LIMIT %d", search->limit - list_length(search->found));
	return buf.data;
}

/*
 * Go through a table range by range, until there is enough.
 */
static void
go_through(Search *search, Walk *walk, char *(*make_query) (const Search *, const char *))
{
	while (!walk->last && list_length(search->found) < search->limit)
	{
		Oid			types[2 * INDEX_MAX_KEYS];
		Datum		values[2 * INDEX_MAX_KEYS];
		char	   *condition;
		int			nargs;

		CHECK_FOR_INTERRUPTS();
		SPI_connect();
		find_end(walk);
		condition = range_condition(walk, types, values, &nargs);
		select_rows(make_query(search, condition), nargs, types, values);
		keep_found(search);
		SPI_finish();
		next_range(walk);
	}
}

/*
 * Until the caller's GUC nest level ends, have rows found by the keys of a range:
 * the tables are read once then, not once for each range.
 */
static void
find_by_keys(void)
{
	static const char *const off[] = {"enable_seqscan", "enable_hashjoin", "enable_mergejoin"};

	for (int i = 0; i < lengthof(off); i++)
		(void) set_config_option(off[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
								 0, false);
}

/*
 * Up to "limit" rows that are not the same in the table of a pair and its new one,
 * as PgmTableDifference *.
 */
List *
pgm_table_differences(const PgmTablePair *pair, Oid relid, int limit)
{
	const bool	missing_ok = false;
	Search		search = {pair, relid, pgm_table_new_relid(pair, missing_ok), limit, NIL,
	CurrentMemoryContext};
	Relation	rel = table_open(relid, AccessShareLock);
	Relation	new = table_open(search.new_relid, AccessShareLock);
	Walk		walk;
	PgmSyncScope scope;
	const bool	new_level = true;

	pgm_sync_enter_owner(rel, new_level, &scope);
	pgm_guc_restore_meaning(pair->settings);
	pgm_guc_see_all_rows();
	find_by_keys();
	begin_walk(&walk, relid, "pgm_old", pair->key);
	go_through(&search, &walk, changed_rows);
	begin_walk(&walk, search.new_relid, "pgm_new", pair->new_key);
	go_through(&search, &walk, extra_rows);
	pgm_sync_leave_owner(&scope);
	table_close(new, NoLock);
	table_close(rel, NoLock);
	return search.found;
}
