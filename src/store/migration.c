/*-------------------------------------------------------------------------
 *
 * migration.c
 *	  Rows of migrate.migration in and out.
 *
 * Every function is one query, run as the extension's owner.  Results live in
 * the caller's memory context.
 *
 * IDENTIFICATION
 *	  src/store/migration.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/args.h"
#include "base/query.h"
#include "store/store.h"

/* Columns that every reading query begins with, in this order. */
#define MIGRATION_COLUMNS \
	"m.name, m.kind, m.state, m.checksum, m.conforming_strings, m.transactional," \
	" m.requires, m.conflicts, m.registered_by, m.registered_by_oid, m.registered_in," \
	" m.applied_run"

enum
{
	COL_NAME = 1, COL_KIND, COL_STATE, COL_CHECKSUM, COL_CONFORMING_STRINGS,
	COL_TRANSACTIONAL, COL_REQUIRES, COL_CONFLICTS, COL_REGISTERED_BY,
	COL_REGISTERED_BY_OID, COL_REGISTERED_IN, COL_APPLIED_RUN,
	/* of one migration */
	COL_SCRIPT, COL_DESCRIPTION, COL_SOURCE,
	/* of the overview */
	COL_APPLIED_AT = COL_SCRIPT, COL_APPLIED_BY, COL_DURATION,
	COL_RUN_STATE, COL_RUN_REASON
};

/*
 * Throw because there is no migration of that name.
 */
void
pgm_store_report_unknown(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("migration \"%s\" is not registered", name),
			 errhint("Use migrate.status() to see what there is.")));
}

/*
 * Throw because a migration is not there any more that was a moment ago.
 */
void
pgm_store_report_gone(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("migration \"%s\" is gone", name)));
}

/*
 * The columns that both readers have, in the current context.
 */
static PgmMigration *
read_row(int row)
{
	PgmMigration *m = palloc0(sizeof(PgmMigration));
	bool		isnull;
	Datum		run;

	m->name = pgm_query_text(row, COL_NAME);
	m->kind = pgm_kind_parse(pgm_query_text(row, COL_KIND));
	m->state = pgm_state_parse(pgm_query_text(row, COL_STATE));
	m->checksum = pgm_query_text(row, COL_CHECKSUM);
	m->conforming_strings = DatumGetBool(pgm_query_datum(row, COL_CONFORMING_STRINGS, &isnull));
	m->transactional = DatumGetBool(pgm_query_datum(row, COL_TRANSACTIONAL, &isnull));
	m->requires = pgm_query_strings(row, COL_REQUIRES);
	m->conflicts = pgm_query_strings(row, COL_CONFLICTS);
	m->author.name = pgm_query_text(row, COL_REGISTERED_BY);
	m->author.oid = DatumGetObjectId(pgm_query_datum(row, COL_REGISTERED_BY_OID, &isnull));
	m->author.cluster = DatumGetInt64(pgm_query_datum(row, COL_REGISTERED_IN, &isnull));
	run = pgm_query_datum(row, COL_APPLIED_RUN, &isnull);
	m->applied_run = isnull ? 0 : DatumGetInt64(run);
	return m;
}

/*
 * One migration, as it is committed, or NULL.  With for_update its row stays
 * locked to the end of the transaction; a transaction whose snapshot is older
 * than the row gets a serialization failure then, instead of applying something
 * twice.
 */
PgmMigration *
pgm_store_fetch_migration(const char *name, bool for_update)
{
	static PgmQuery look = {
		"SELECT " MIGRATION_COLUMNS ", m.script, m.description, m.source"
		" FROM migrate.migration m WHERE m.name = $1",
		SPI_OK_SELECT, 1, {TEXTOID}
	};
	static PgmQuery lock = {
		"SELECT " MIGRATION_COLUMNS ", m.script, m.description, m.source"
		" FROM migrate.migration m WHERE m.name = $1 FOR UPDATE",
		SPI_OK_SELECT, 1, {TEXTOID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	PgmMigration *m = NULL;

	values[0] = CStringGetTextDatum(name);
	pgm_query_begin(&scope);
	if (!for_update)
		pgm_query_run_latest(&look, values, NULL);
	else
	{
		pgm_query_run(&lock, values, NULL);
		if (SPI_processed == 0 && IsolationUsesXactSnapshot())
		{
			pgm_query_run_latest(&look, values, NULL);
			if (SPI_processed > 0)
				ereport(ERROR,
						(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						 errmsg("could not serialize access due to concurrent update")));
		}
	}
	if (SPI_processed > 0)
	{
		MemoryContextSwitchTo(scope.caller);
		m = read_row(0);
		m->script = pgm_query_text(0, COL_SCRIPT);
		m->description = pgm_query_text(0, COL_DESCRIPTION);
		m->source = pgm_query_text(0, COL_SOURCE);
	}
	pgm_query_end(&scope);
	return m;
}

/*
 * All migrations without their scripts, in byte order of their names, with the
 * runs that applied them: as they are committed, since what may run is decided
 * by them.
 */
PgmMigration **
pgm_store_fetch_overview(int *count)
{
	static PgmQuery query = {
		"SELECT " MIGRATION_COLUMNS ", r.started_at, r.current_username,"
		" (extract(epoch FROM r.finished_at - r.started_at) * 1000)::float8, o.state, o.reason"
		" FROM migrate.migration m LEFT JOIN migrate.run r ON r.id = m.applied_run"
		" LEFT JOIN migrate.online_run o ON o.migration = m.name"
		" AND o.state NOT IN ('done', 'cancelled')"
		" ORDER BY m.name",
		SPI_OK_SELECT, 0, {0}
	};
	PgmQueryScope scope;
	PgmMigration **rows;

	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, NULL, NULL);
	MemoryContextSwitchTo(scope.caller);
	*count = (int) SPI_processed;
	rows = palloc(sizeof(PgmMigration *) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
	{
		bool		isnull;
		Datum		value;

		rows[i] = read_row(i);
		rows[i]->run_state = pgm_query_text(i, COL_RUN_STATE);
		rows[i]->run_reason = pgm_query_text(i, COL_RUN_REASON);
		value = pgm_query_datum(i, COL_APPLIED_AT, &isnull);
		if (isnull)
			continue;
		rows[i]->applied_at = DatumGetTimestampTz(value);
		rows[i]->applied_by = pgm_query_text(i, COL_APPLIED_BY);
		rows[i]->duration_ms = DatumGetFloat8(pgm_query_datum(i, COL_DURATION, &isnull));
	}
	pgm_query_end(&scope);
	return rows;
}

/*
 * Throw if the transaction's snapshot does not show what is applied by now: what
 * a migration needs would be there, but its statements could not see it.
 */
void
pgm_store_check_snapshot(void)
{
	static PgmQuery query = {
		"SELECT sum(hashtextextended(concat_ws(' ', m.name, m.state, m.applied_run), 0))::text"
		" FROM migrate.migration m",
		SPI_OK_SELECT, 0, {0}
	};
	PgmQueryScope scope;
	char	   *seen;
	char	   *latest;

	if (!IsolationUsesXactSnapshot())
		return;
	pgm_query_begin(&scope);
	pgm_query_run(&query, NULL, NULL);
	seen = pgm_query_text(0, 1);
	pgm_query_run_latest(&query, NULL, NULL);
	latest = pgm_query_text(0, 1);
	if ((seen == NULL) != (latest == NULL) || (seen != NULL && strcmp(seen, latest) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update of migrations"),
				 errhint("Try the transaction again.")));
	pgm_query_end(&scope);
}

/*
 * Throw unless the last query changed the one row that is meant.  It can be gone
 * if the script that ran dropped the extension and created it again.
 */
static void
check_one_row(const char *name)
{
	if (SPI_processed != 1)
		pgm_store_report_gone(name);
}

/*
 * What insert and replace have in common.  The state is pending in both.
 */
static void
write_migration(PgmQuery *query, const PgmMigration *m)
{
	PgmQueryScope scope;
	Datum		values[13];
	char		nulls[14] = "             ";

	values[0] = CStringGetTextDatum(m->name);
	values[1] = CStringGetTextDatum(pgm_kind_name(m->kind));
	values[2] = CStringGetTextDatum(m->script);
	values[3] = CStringGetTextDatum(m->checksum);
	values[4] = BoolGetDatum(m->conforming_strings);
	values[5] = BoolGetDatum(m->transactional);
	values[6] = pgm_args_text_array(m->requires);
	values[7] = pgm_args_text_array(m->conflicts);
	values[8] = m->description ? CStringGetTextDatum(m->description) : (Datum) 0;
	values[9] = m->source ? CStringGetTextDatum(m->source) : (Datum) 0;
	values[10] = CStringGetTextDatum(m->author.name);
	values[11] = ObjectIdGetDatum(m->author.oid);
	values[12] = Int64GetDatum(m->author.cluster);
	if (m->description == NULL)
		nulls[8] = 'n';
	if (m->source == NULL)
		nulls[9] = 'n';

	pgm_query_begin(&scope);
	pgm_query_run(query, values, nulls);
	check_one_row(m->name);
	pgm_query_end(&scope);
}

#define WRITE_TYPES \
	{TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID, BOOLOID, TEXTARRAYOID, TEXTARRAYOID, \
	TEXTOID, TEXTOID, TEXTOID, OIDOID, INT8OID}

void
pgm_store_insert_migration(const PgmMigration *migration)
{
	static PgmQuery query = {
		"INSERT INTO migrate.migration (name, kind, state, script, checksum,"
		" conforming_strings, transactional, requires, conflicts, description, source,"
		" registered_by, registered_by_oid, registered_in, registered_at)"
		" VALUES ($1, $2, 'pending', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
		" statement_timestamp())",
		SPI_OK_INSERT, 13, WRITE_TYPES
	};

	write_migration(&query, migration);
}

/*
 * A new script for a migration, which becomes pending with it.
 */
void
pgm_store_replace_migration(const PgmMigration *migration)
{
	static PgmQuery query = {
		"UPDATE migrate.migration SET kind = $2, state = 'pending', script = $3,"
		" checksum = $4, conforming_strings = $5, transactional = $6, requires = $7,"
		" conflicts = $8, description = $9, source = $10, registered_by = $11,"
		" registered_by_oid = $12, registered_in = $13,"
		" registered_at = statement_timestamp() WHERE name = $1",
		SPI_OK_UPDATE, 13, WRITE_TYPES
	};

	write_migration(&query, migration);
}

void
pgm_store_set_author(const char *name, const PgmAuthor *author)
{
	static PgmQuery query = {
		"UPDATE migrate.migration SET registered_by = $2, registered_by_oid = $3,"
		" registered_in = $4 WHERE name = $1",
		SPI_OK_UPDATE, 4, {TEXTOID, TEXTOID, OIDOID, INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[4];

	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(author->name);
	values[2] = ObjectIdGetDatum(author->oid);
	values[3] = Int64GetDatum(author->cluster);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	check_one_row(name);
	pgm_query_end(&scope);
}

void
pgm_store_delete_migration(const char *name)
{
	static PgmQuery query = {
		"DELETE FROM migrate.migration WHERE name = $1",
		SPI_OK_DELETE, 1, {TEXTOID}
	};
	PgmQueryScope scope;
	Datum		values[1];

	values[0] = CStringGetTextDatum(name);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	check_one_row(name);
	pgm_query_end(&scope);
}

/*
 * Record a state; run_id is the run that applied it, 0 if it is not applied.
 */
void
pgm_store_set_state(const char *name, PgmState state, int64 run_id)
{
	static PgmQuery query = {
		"UPDATE migrate.migration SET state = $2, applied_run = nullif($3, 0) WHERE name = $1",
		SPI_OK_UPDATE, 3, {TEXTOID, TEXTOID, INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[3];

	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(pgm_state_name(state));
	values[2] = Int64GetDatum(run_id);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	check_one_row(name);
	pgm_query_end(&scope);
}
