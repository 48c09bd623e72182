/*-------------------------------------------------------------------------
 *
 * expand.c
 *	  migrate.expand_column(), expand_rename() and expand_type()
 *
 * A new column, the pair that keeps it in step with the old ones, and the backfill
 * that fills it for the rows that are there: in the caller's transaction, so all of
 * it or nothing.  The backfill starts when that is committed, and only then writes
 * of others know the pair, so no row is left out.
 *
 * IDENTIFICATION
 *	  src/api/expand.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parse_type.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"

#include "api/expansion.h"
#include "base/args.h"
#include "base/compat.h"
#include "base/extension.h"
#include "base/lock.h"
#include "base/relation.h"
#include "sync/version.h"

PG_FUNCTION_INFO_V1(pgmigrate_expand_column);
PG_FUNCTION_INFO_V1(pgmigrate_expand_rename);
PG_FUNCTION_INFO_V1(pgmigrate_expand_type);

/* What a new column is to be. */
typedef struct Expansion
{
	Oid			relid;
	List	   *source;			/* of char *; NIL: what "up" reads */
	const char *column;
	const char *type;			/* as it stands in a statement */
	const char *up;
	const char *down;			/* or NULL */
	const char *old;			/* column that it takes the place of, or NULL */
	const char *becomes;		/* name in the end, if another one, or NULL */
} Expansion;

/* The type that an argument names, as it stands in a statement. */
static const char *
type_argument(FunctionCallInfo fcinfo, int n)
{
	Oid			type;
	int32		typmod;

	pgm_parse_type(pgm_args_text(fcinfo, n, "type"), &type, &typmod);
	return format_type_extended(type, typmod,
								FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

/*
 * The type of a column with its collation, as it stands in a statement.
 */
static const char *
type_of(Oid relid, const char *column, bool with_collation)
{
	AttrNumber	attno = get_attnum(relid, column);
	Oid			type;
	int32		typmod;
	Oid			collation;
	char	   *text;

	if (attno <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", column,
						get_rel_name(relid))));
	get_atttypetypmodcoll(relid, attno, &type, &typmod, &collation);
	text = format_type_extended(type, typmod,
								FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);

	if (with_collation && OidIsValid(collation) && collation != get_typcollation(type))
		text = psprintf("%s COLLATE %s", text, generate_collation_name(collation));
	return text;
}

/*
 * The column.  Who may read or write the old one may do so with this one.
 */
static void
add_column(const Expansion *expansion)
{
	char	   *command = psprintf("ALTER TABLE %s ADD COLUMN %s %s",
								   pgm_relation_name(expansion->relid),
								   quote_identifier(expansion->column), expansion->type);
	const bool	read_only = false;

	SPI_connect();
	if (SPI_execute(command, read_only, 0) != SPI_OK_UTILITY)
		elog(ERROR, "unexpected result of command: %s", command);
	if (expansion->old != NULL)
	{
		PgmShownColumn columns = {
			.column = unconstify(char *, expansion->old),
			.shown = unconstify(char *, expansion->column)
		};

		pgm_sync_copy_rights(expansion->relid, list_make1(&columns),
							 pgm_relation_name(expansion->relid), NULL);
	}
	SPI_finish();
}

/*
 * Submit the backfill of the new column, as migrate.backfill() does for the caller.
 * Rows that have a value were written since, or are in step.
 */
static int64
submit_fill(const Expansion *expansion, const char *up)
{
	Oid			types[] = {REGCLASSOID, TEXTOID, TEXTOID, TEXTOID};
	const char *column = quote_identifier(expansion->column);
	char	   *name = psprintf("%s.%s", get_rel_name(expansion->relid), expansion->column);
	Datum		values[4];
	const bool	read_only = false;
	bool		isnull;
	int64		job;

	values[0] = ObjectIdGetDatum(expansion->relid);
	values[1] = CStringGetTextDatum(psprintf("%s = %s", column, up));
	values[2] = CStringGetTextDatum(psprintf("%s IS NULL", column));
	values[3] = CStringGetTextDatum(pgm_expansion_job_name(name));
	SPI_connect();
	if (SPI_execute_with_args("SELECT migrate.backfill(target => $1, assign => $2, filter => $3,"
							  " name => $4)", lengthof(types), types, values, NULL,
							  read_only, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not submit a backfill");
	job = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	return job;
}

/*
 * Do it.  Returns the number of the backfill.
 */
static int64
expand(const Expansion *expansion)
{
	PgmPair    *pair;
	int64		id;
	int64		job;

	pgm_extension_require();
	pgm_lock_tree(expansion->relid, AccessExclusiveLock);
	add_column(expansion);
	id = pgm_sync_begin(expansion->relid, expansion->source, expansion->column, expansion->up,
						expansion->down);
	pair = linitial(pgm_sync_pairs(expansion->relid, expansion->column));
	job = submit_fill(expansion, pair->up);
	pgm_store_set_expansion(id, job, expansion->becomes);
	return job;
}

/*
 * migrate.expand_column(relation regclass, new_column name, type text, up text,
 * down text, source text[])
 */
Datum
pgmigrate_expand_column(PG_FUNCTION_ARGS)
{
	Expansion	expansion = {0};

	pgm_args_check_count(fcinfo, 6);
	PreventCommandIfReadOnly("migrate.expand_column()");
	expansion.relid = pgm_expansion_table_argument(fcinfo, 0, "relation");
	expansion.column = pgm_args_name(fcinfo, 1, "new_column");
	expansion.type = type_argument(fcinfo, 2);
	expansion.up = pgm_args_text(fcinfo, 3, "up");
	expansion.down = pgm_args_optional_text(fcinfo, 4, "down");
	expansion.source = PG_ARGISNULL(5) ? NIL : pgm_args_name_list(fcinfo, 5, "source");
	PG_RETURN_INT64(expand(&expansion));
}

/*
 * migrate.expand_rename(relation regclass, old_column name, new_column name)
 */
Datum
pgmigrate_expand_rename(PG_FUNCTION_ARGS)
{
	Expansion	expansion = {0};
	const char *old;
	const bool	with_collation = true;

	pgm_args_check_count(fcinfo, 3);
	PreventCommandIfReadOnly("migrate.expand_rename()");
	expansion.relid = pgm_expansion_table_argument(fcinfo, 0, "relation");
	old = pgm_args_name(fcinfo, 1, "old_column");
	expansion.column = pgm_args_name(fcinfo, 2, "new_column");
	expansion.type = type_of(expansion.relid, old, with_collation);
	expansion.old = old;
	expansion.source = list_make1(unconstify(char *, old));
	expansion.up = quote_identifier(old);
	expansion.down = quote_identifier(expansion.column);
	PG_RETURN_INT64(expand(&expansion));
}

/*
 * migrate.expand_type(relation regclass, column_name name, type text, up text,
 * down text, new_column name)
 */
Datum
pgmigrate_expand_type(PG_FUNCTION_ARGS)
{
	Expansion	expansion = {0};
	const char *old;
	const char *old_type;
	const bool	with_collation = false;

	pgm_args_check_count(fcinfo, 6);
	PreventCommandIfReadOnly("migrate.expand_type()");
	expansion.relid = pgm_expansion_table_argument(fcinfo, 0, "relation");
	old = pgm_args_name(fcinfo, 1, "column_name");
	expansion.type = type_argument(fcinfo, 2);
	expansion.up = pgm_args_optional_text(fcinfo, 3, "up");
	expansion.down = pgm_args_optional_text(fcinfo, 4, "down");
	expansion.column = PG_ARGISNULL(5) ? makeObjectName(old, "new", NULL) :
		pgm_args_name(fcinfo, 5, "new_column");
	expansion.old = expansion.becomes = old;
	old_type = type_of(expansion.relid, old, with_collation);
	expansion.source = list_make1(unconstify(char *, old));
	if (expansion.up == NULL)
		expansion.up = psprintf("CAST(%s AS %s)", quote_identifier(old), expansion.type);
	if (expansion.down == NULL)
		expansion.down = psprintf("CAST(%s AS %s)", quote_identifier(expansion.column), old_type);
	PG_RETURN_INT64(expand(&expansion));
}
