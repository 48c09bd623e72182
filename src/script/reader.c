/*-------------------------------------------------------------------------
 *
 * reader.c
 *	  Reading a script: its markers, its parts, and what only psql understands.
 *
 * One walk over the server's tokens.  Markers are looked for between them, and
 * the tokens tell psql's commands and the data of COPY FROM STDIN, before the
 * parser stumbles over them.
 *
 * IDENTIFICATION
 *	  src/script/reader.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "script/reader.h"

/*
 * Look for markers between two tokens.
 */
static void
read_gap(PgmReader *reader, int pos, int end)
{
	const char *sql = reader->script->sql;

	while (pos < end)
	{
		int			next = pgm_tokens_skip_comment(sql, pos, end);

		if (sql[pos] == '-')
			pgm_markers_read_comment(reader, pos, next);
		pos = next;
	}
}

static bool
token_is(const char *sql, PgmToken token, const char *word)
{
	int			length = (int) strlen(word);

	return token.end - token.start == length &&
		pg_strncasecmp(sql + token.start, word, length) == 0;
}

/*
 * Look at a token for what only psql understands.  Both have to be found before
 * the parser comes to them: what follows COPY FROM STDIN is not SQL.
 */
static void
read_token(PgmReader *reader, PgmToken token)
{
	const char *sql = reader->script->sql;

	if (reader->first_token < 0)
		reader->first_token = token.start;

	if (sql[token.start] == '\\')
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("psql commands are not allowed in a migration"),
				 errhint("Remove what begins with the backslash."),
				 pgm_script_errposition(sql, token.start)));

	if (reader->statement_starts)
	{
		reader->in_copy = token_is(sql, token, "copy");
		reader->depth = 0;
	}
	else if (reader->in_copy && reader->after_from && token_is(sql, token, "stdin"))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("COPY FROM STDIN is not allowed in a migration"),
				 errhint("Use INSERT, or COPY with a file of the server."),
				 pgm_script_errposition(sql, token.start)));

	if (sql[token.start] == '(')
		reader->depth++;
	else if (sql[token.start] == ')')
		reader->depth--;
	reader->after_from = reader->depth == 0 && token_is(sql, token, "from");
	reader->statement_starts = token_is(sql, token, ";");
}

static void
read_text(PgmReader *reader)
{
	const char *sql = reader->script->sql;
	int			length = (int) strlen(sql);
	PgmTokens	tokens;
	PgmToken	token;
	int			pos = 0;

	pgm_tokens_begin(&tokens, sql, reader->script->conforming_strings);
	while (pgm_tokens_next(&tokens, &token))
	{
		read_gap(reader, pos, token.start);
		read_token(reader, token);
		pos = token.end;
	}
	read_gap(reader, pos, length);
	pgm_tokens_end(&tokens);

	if (reader->open_part >= 0)
		reader->script->parts[reader->open_part].end = length;
	if (!reader->parts_marked)
	{
		reader->script->parts[PGM_PART_UP].present = true;
		reader->script->parts[PGM_PART_UP].end = length;
	}
	else if (!reader->script->parts[PGM_PART_UP].present)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("script has no up part"),
				 errhint("Put \"-- migrate:up\" on a line before the statements."),
				 pgm_script_errposition(sql, 0)));
	if (!reader->parts_marked && reader->first_token < 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("script has no statement"),
				 errhint("An empty up part has to be marked with \"-- migrate:up\"."),
				 pgm_script_errposition(sql, 0)));
}

/*
 * Read the markers of a script.  name and text must outlive the result.  Throws
 * with the line for what is wrong; the statements themselves are not parsed.
 */
PgmScript *
pgm_script_read(const char *name, const char *sql, bool conforming_strings)
{
	PgmScript  *script = palloc0(sizeof(PgmScript));
	PgmReader	reader = {0};
	PgmScriptFrame frame = {script, PGM_PART_UP, 0, NULL, false};
	ErrorContextCallback callback;

	script->name = name;
	script->sql = sql;

	script->conforming_strings = conforming_strings;
	reader.script = script;
	reader.open_part = -1;
	reader.first_token = -1;
	reader.statement_starts = true;

	callback.callback = pgm_script_error_context;
	callback.arg = &frame;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	read_text(&reader);
	error_context_stack = callback.previous;
	return script;
}
