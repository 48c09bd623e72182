/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  migrate.plan(): what applying a migration would do
 *
 * IDENTIFICATION
 *	  src/api/plan.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "parser/scansup.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "api/api.h"
#include "base/args.h"
#include "base/relation.h"
#include "base/rights.h"
#include "online/online.h"

PG_FUNCTION_INFO_V1(pgmigrate_plan);

#define MAX_SQL_LENGTH	80

/*
 * A statement on one line, without comments, cut to a width that fits a
 * terminal.
 */
static char *
shorten(const PgmScript *script, const PgmStatement *statement)
{
	char	   *sql = pnstrdup(script->sql + statement->location, statement->length);
	PgmTokens	tokens;
	PgmToken	token;
	int			end = 0;
	StringInfoData buf;

	initStringInfo(&buf);
	pgm_tokens_begin(&tokens, sql, script->conforming_strings);
	while (pgm_tokens_next(&tokens, &token))
	{
		if (token.start > end && end > 0)
			appendStringInfoChar(&buf, ' ');
		appendBinaryStringInfo(&buf, sql + token.start, token.end - token.start);
		end = token.end;
	}
	pgm_tokens_end(&tokens);

	for (int i = 0; i < buf.len; i++)
	{
		if (scanner_isspace(buf.data[i]))
			buf.data[i] = ' ';	/* inside a literal */
	}
	if (buf.len > MAX_SQL_LENGTH)
	{
		buf.len = pg_mbcliplen(buf.data, buf.len, MAX_SQL_LENGTH - 3);
		buf.data[buf.len] = '\0';
		appendStringInfoString(&buf, "...");
	}
	return buf.data;
}

/*
 * Why the line is as it is, or NULL.
 */
static const char *
note_for(const PgmScript *script, const PgmPlanLine *line)
{
	if (!line->transactional)
		return "commits by itself, so the migration runs online";
	if (script->mode == PGM_MODE_ONLINE)
		return "its marker asks for an online run";
	if (line->rewrites == PGM_EFFECT_YES)
		return "the table is rewritten under the lock";
	if (line->scans == PGM_EFFECT_YES && OidIsValid(line->relid))
		return "the table is read under the lock";
	if (line->rewrites == PGM_EFFECT_UNKNOWN)
		return "the server could not be asked what it does to the table";
	return NULL;
}

static void
put_effect(Datum *value, bool *isnull, PgmEffect effect)
{
	*isnull = effect == PGM_EFFECT_UNKNOWN;
	*value = BoolGetDatum(effect == PGM_EFFECT_YES);
}

static void
put_line(FunctionCallInfo fcinfo, const PgmScript *script, bool online, const List *rates,
		 const PgmPlanLine *line)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const PgmStatement *statement = line->statement;
	const char *note = note_for(script, line);
	PgmHold		hold = pgm_plan_hold(line);
	const bool	whole = false;
	int64		bytes = pgm_plan_bytes(line->relid, hold, whole);
	Datum		values[12] = {0};
	bool		nulls[12] = {false};

	values[0] = Int32GetDatum(statement->number);
	values[1] = Int32GetDatum(statement->line);
	values[2] = CStringGetTextDatum(line->kind);
	nulls[3] = nulls[4] = !OidIsValid(line->relid);
	if (OidIsValid(line->relid))
	{
		values[3] = CStringGetTextDatum(pgm_relation_name(line->relid));
		values[4] = CStringGetTextDatum(GetLockmodeName(DEFAULT_LOCKMETHOD, line->mode));
	}
	put_effect(&values[5], &nulls[5], line->rewrites);
	put_effect(&values[6], &nulls[6], line->scans);
	values[7] = Int64GetDatum(bytes);
	nulls[7] = hold == PGM_HOLD_UNKNOWN || !OidIsValid(line->relid);
	pgm_api_put_duration(&values[8], &nulls[8], rates, line->kind, hold, bytes,
						 line->first == NULL || line->first == line);
	values[9] = CStringGetTextDatum(online ? "online" : "atomic");
	nulls[10] = note == NULL;
	if (note != NULL)
		values[10] = CStringGetTextDatum(note);
	values[11] = CStringGetTextDatum(shorten(script, statement));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * migrate.plan(name text)
 */
Datum
pgmigrate_plan(PG_FUNCTION_ARGS)
{
	bool		trusted;
	PgmScript  *script;
	bool		online;
	List	   *rates;
	ListCell   *lc;

	pgm_args_check_count(fcinfo, 1);
	script = pgm_api_read_to_show(pgm_args_text(fcinfo, 0, "name"), &trusted);
	online = script->mode != PGM_MODE_ATOMIC && pgm_online_reason(script, trusted) != NULL;

	rates = pgm_store_fetch_rates();
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, pgm_effects_of(script, trusted))
		put_line(fcinfo, script, online, rates, (PgmPlanLine *) lfirst(lc));
	return (Datum) 0;
}
