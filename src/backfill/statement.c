/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  Statements of ours with text of the user's in it.
 *
 * The rows themselves are changed by ordinary statements, so that triggers,
 * constraints, generated columns and row security stay the server's own.  They
 * are planned once, generically, and in such a way that rows are found by their
 * place or by the range of keys that is asked for: a sequential scan for each
 * batch would be the end of it.  The planner is told that only while it plans
 * these statements, not while triggers and functions plan theirs.
 *
 * IDENTIFICATION
 *	  src/backfill/statement.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "backfill/backfill.h"

static void
free_plan(void *arg)
{
	PgmStatement *statement = (PgmStatement *) arg;

	if (statement->plan != NULL)
		SPI_freeplan(statement->plan);
	statement->plan = NULL;
}

/*
 * A statement, not planned yet; copies what it is given into the current context,
 * and ends with it if not before.
 */
PgmStatement *
pgm_statement_make(char *sql, int nargs, const Oid *types, bool by_tid)
{
	PgmStatement *statement = palloc0(sizeof(PgmStatement));

	statement->sql = pstrdup(sql);
	statement->nargs = nargs;
	statement->types = palloc(sizeof(Oid) * Max(nargs, 1));
	memcpy(statement->types, types, sizeof(Oid) * nargs);
	statement->by_tid = by_tid;
	statement->at_end.func = free_plan;
	statement->at_end.arg = statement;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &statement->at_end);
	return statement;
}

/*
 * Free the plan now; the rest goes with the context.
 */
void
pgm_statement_free(PgmStatement *statement)
{
	if (statement != NULL)
		free_plan(statement);
}

static void
set_option(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Have a valid plan, made with the settings that suit the statement.
 */
static void
plan_statement(PgmStatement *statement)
{
	int			guc_level;

	if (statement->plan != NULL && SPI_plan_is_valid(statement->plan))
		return;
	guc_level = NewGUCNestLevel();
	set_option("enable_seqscan", "off");
	if (statement->by_tid)
	{
		set_option("enable_indexscan", "off");
		set_option("enable_indexonlyscan", "off");
		set_option("enable_bitmapscan", "off");
	}
	else
	{
		set_option("enable_bitmapscan", "off");
		set_option("enable_sort", "off");
	}
	if (statement->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare_cursor(statement->sql, statement->nargs, statement->types,
											  CURSOR_OPT_GENERIC_PLAN);

		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		statement->plan = plan;
	}
	ReleaseCachedPlan(SPI_plan_get_cached_plan(statement->plan), CurrentResourceOwner);
	AtEOXact_GUC(true, guc_level);
}

/*
 * Run a statement and return the number of rows processed.  Result rows go to
 * "dest", or, where that is NULL, to SPI_tuptable.  Called between SPI_connect()
 * and SPI_finish().
 */
uint64
pgm_statement_run(PgmStatement *statement, Datum *values, bool read_only, DestReceiver *dest)
{
	SPIExecuteOptions options;
	ParamListInfo params = makeParamList(statement->nargs);
	int			rc;

	plan_statement(statement);
	for (int i = 0; i < statement->nargs; i++)
	{
		params->params[i].value = values[i];
		params->params[i].isnull = false;
		params->params[i].pflags = PARAM_FLAG_CONST;
		params->params[i].ptype = statement->types[i];
	}
	memset(&options, 0, sizeof(options));
	options.params = params;
	options.read_only = read_only;
	options.dest = dest;
	rc = SPI_execute_plan_extended(statement->plan, &options);
	if (rc < 0)
		elog(ERROR, "SPI_execute_plan_extended failed: %s", SPI_result_code_string(rc));
	return SPI_processed;
}

/*
 * Throw if the current user may not run a statement.  Nothing is run: the
 * executor is started as for EXPLAIN, and checks privileges then.
 */
void
pgm_statement_check(PgmStatement *statement)
{
	CachedPlan *plan;
	QueryDesc  *desc;
	ListCell   *lc;

	SPI_connect();
	plan_statement(statement);
	plan = SPI_plan_get_cached_plan(statement->plan);
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach(lc, plan->stmt_list)
	{
		desc = CreateQueryDesc(lfirst_node(PlannedStmt, lc), statement->sql, GetActiveSnapshot(),
							   InvalidSnapshot, None_Receiver, NULL, NULL, 0);
		ExecutorStart(desc, EXEC_FLAG_EXPLAIN_ONLY);
		ExecutorEnd(desc);
		FreeQueryDesc(desc);
	}
	PopActiveSnapshot();
	ReleaseCachedPlan(plan, CurrentResourceOwner);
	SPI_finish();
}

/* A condition, with "AND" in front, or nothing. */
static const char *
and_predicate(const PgmShape *shape)
{
	return shape->predicate == NULL ? "" : psprintf(" AND (%s)", shape->predicate);
}

static const char *
and_filter(const PgmShape *shape)
{
	return shape->filter == NULL ? "" : psprintf(" AND (%s\n)", shape->filter);
}

/*
 * The rows to be done on the pages from $1 on and before $2: place and xmin,
 * and, with PGM_CANDIDATES_VALUES, old and new value of each column that is set.
 *
 * With PGM_CANDIDATES_BUT, without looking at those at the places $3 with the
 * xmins $4, whose values give an error.  With PGM_CANDIDATES_CAREFUL, all rows
 * that pass the filter, without computing anything else.
 */
PgmStatement *
pgm_statement_candidates(const PgmShape *shape, Oid leaf, PgmCandidates which, bool values)
{
	Oid			types[] = {TIDOID, TIDOID, get_array_type(TIDOID), get_array_type(XIDOID)};
	const char *alias = quote_identifier(shape->alias);
	StringInfoData sql;
	ListCell   *lc;
	ListCell   *column;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s.ctid, %s.xmin", alias, alias);
	if (values)
	{
		forboth(lc, shape->values, column, shape->set_columns)
			appendStringInfo(&sql, ", %s.%s, %s", alias,
							 quote_identifier((char *) lfirst(column)), (char *) lfirst(lc));
	}
	appendStringInfo(&sql, " FROM %s WHERE %s.ctid >= $1 AND %s.ctid < $2",
					 pgm_shape_target(leaf, shape->alias), alias, alias);
	switch (which)
	{
		case PGM_CANDIDATES_ALL:
			appendStringInfoString(&sql, and_predicate(shape));
			return pgm_statement_make(sql.data, 2, types, true);
		case PGM_CANDIDATES_BUT:
			appendStringInfo(&sql, " AND CASE WHEN %s.ctid = ANY ($3) AND %s.xmin = ANY ($4)"
							 " THEN false ELSE %s END", alias, alias,
							 shape->predicate == NULL ? "true" : shape->predicate);
			return pgm_statement_make(sql.data, 4, types, true);
		case PGM_CANDIDATES_CAREFUL:
			appendStringInfoString(&sql, and_filter(shape));
			break;
	}
	return pgm_statement_make(sql.data, 2, types, true);
}

/* UPDATE or DELETE, up to its condition. */
static char *
change_command(const PgmShape *shape, Oid leaf)
{
	char	   *target = pgm_shape_target(leaf, shape->alias);

	if (shape->assign == NULL)
		return psprintf("DELETE FROM %s", target);
	return psprintf("UPDATE %s SET %s\n", target, shape->assign);
}

/*
 * Change the rows at the places in array $1 that are still to be done; with
 * skip_locked, but for those that somebody else has locked.  Where a trigger may
 * have a say in the new values, the statement returns for each row whether it is
 * still one to be done.
 */
PgmStatement *
pgm_statement_change(const PgmShape *shape, Oid leaf, bool skip_locked)
{
	Oid			types[] = {get_array_type(TIDOID)};
	const char *alias = quote_identifier(shape->alias);
	char	   *sql;

	if (skip_locked)
		sql = psprintf("%s WHERE %s.ctid = ANY (ARRAY(SELECT pgm_row.ctid FROM %s"
					   " WHERE pgm_row.ctid = ANY ($1) FOR UPDATE SKIP LOCKED))%s",
					   change_command(shape, leaf), alias,
					   pgm_shape_target(leaf, "pgm_row"), and_predicate(shape));
	else
		sql = psprintf("%s WHERE %s.ctid = ANY ($1)%s", change_command(shape, leaf), alias,
					   and_predicate(shape));
	if (shape->check_done && shape->predicate != NULL)
		sql = psprintf("%s RETURNING %s", sql, shape->predicate);
	return pgm_statement_make(sql, 1, types, true);
}

static char *
key_row(const char *alias, List *key)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, key)
		appendStringInfo(&buf, "%s%s.%s", buf.len == 0 ? "" : ", ", quote_identifier(alias),
						 quote_identifier((char *) lfirst(lc)));
	return buf.data;
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

/*
 * "After the key in the first parameters, up to that in the next ones"; an open
 * range has no first key.
 */
static char *
key_condition(const char *alias, List *key, bool open)
{
	int			n = list_length(key);
	char	   *row = key_row(alias, key);

	if (open)
		return psprintf("(%s) <= (%s)", row, parameters(1, n));
	return psprintf("(%s) > (%s) AND (%s) <= (%s)", row, parameters(1, n), row,
					parameters(n + 1, n));
}

/* Types of the parameters of such a condition, and how many. */
static int
key_types(Oid leaf, List *key, bool open, Oid *types)
{
	int			n = 0;
	ListCell   *lc;

	for (int i = open ? 1 : 0; i < 2; i++)
	{
		foreach(lc, key)
			types[n++] = get_atttype(leaf, get_attnum(leaf, (char *) lfirst(lc)));
	}
	return n;
}

/*
 * Copy the rows that meet a condition, as their newest versions are: locked, none
 * of them is changed or deleted until the copy is there for others to see.
 */
static char *
copy_command(const PgmShape *shape, Oid leaf, const char *condition)
{
	return psprintf("WITH " PGM_COPIED_ROWS " AS (SELECT * FROM %s WHERE %s FOR SHARE) %s",
					pgm_shape_target(leaf, shape->alias), condition, shape->assign);
}

/*
 * Change, delete or copy the rows whose key meets a condition, if they are to be
 * done.
 */
static char *
command_by_key(const PgmShape *shape, Oid leaf, const char *condition)
{
	if (shape->copies)
		return copy_command(shape, leaf, condition);
	return psprintf("%s WHERE %s%s", change_command(shape, leaf), condition, and_filter(shape));
}

/*
 * Change the rows of a range of keys that are to be done.
 */
PgmStatement *
pgm_statement_range(const PgmShape *shape, Oid leaf, List *key, bool open)
{
	Oid			types[2 * INDEX_MAX_KEYS];
	int			n = key_types(leaf, key, open, types);
	char	   *sql = command_by_key(shape, leaf, key_condition(shape->alias, key, open));

	return pgm_statement_make(sql, n, types, false);
}

/*
 * Change the row with the key in the parameters, if it is to be done.
 */
PgmStatement *
pgm_statement_one(const PgmShape *shape, Oid leaf, List *key)
{
	Oid			types[2 * INDEX_MAX_KEYS];
	const bool	open = true;
	int			n = key_types(leaf, key, open, types);
	char	   *sql = command_by_key(shape, leaf, psprintf("(%s) = (%s)", key_row(shape->alias, key),
														   parameters(1, n)));

	return pgm_statement_make(sql, n, types, false);
}

/*
 * Keys of a range in order: all of them, or, with "nth", the one that comes
 * after as many others as the last parameter says.
 */
PgmStatement *
pgm_statement_keys(Oid leaf, List *key, bool open, bool nth)
{
	Oid			types[2 * INDEX_MAX_KEYS + 1];
	int			n = key_types(leaf, key, open, types);
	char	   *row = key_row("pgm_row", key);
	char	   *sql = psprintf("SELECT %s FROM %s WHERE %s ORDER BY %s", row,
							   pgm_shape_target(leaf, "pgm_row"),
							   key_condition("pgm_row", key, open), row);

	if (nth)
	{
		types[n++] = INT8OID;
		sql = psprintf("%s OFFSET $%d LIMIT 1", sql, n);
	}
	return pgm_statement_make(sql, n, types, false);
}

/*
 * What to call the row at place $1: its xmin and its key as JSON, null if it has
 * none.
 */
PgmStatement *
pgm_statement_describe(Oid leaf, List *key)
{
	static const Oid types[] = {TIDOID};
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT pgm_row.xmin, ");
	if (key == NIL)
		appendStringInfoString(&sql, "NULL::pg_catalog.text");
	else
	{
		const char *separator = "";

		appendStringInfoString(&sql, "pg_catalog.json_build_object(");
		foreach(lc, key)
		{
			char	   *name = (char *) lfirst(lc);

			appendStringInfo(&sql, "%s%s, pgm_row.%s", separator, quote_literal_cstr(name),
							 quote_identifier(name));
			separator = ", ";
		}
		appendStringInfoString(&sql, ")::pg_catalog.text");
	}
	appendStringInfo(&sql, " FROM %s WHERE pgm_row.ctid = $1", pgm_shape_target(leaf, "pgm_row"));
	return pgm_statement_make(sql.data, 1, types, true);
}
