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
	const char *text = reader->script->text;

	while (pos < end)
	{
		int			next = pgm_tokens_skip_comment(text, pos, end);

		if (text[pos] == '-')
			pgm_markers_read_comment(reader, pos, next);
		pos = next;
	}
}

static bool
token_is(const char *text, PgmToken token, const char *word)
{
	int			length = (int) strlen(word);

	return token.end - token.start == length &&
		pg_strncasecmp(text +token.start, word, length) == 0;
}

/*
 * Look at a token for what only psql understands.  Both have to be found before
 * the parser comes to them: what follows COPY FROM STDIN is not SQL.
 */
static void
read_token(PgmReader *reader, PgmToken token)
{
	const char *text = reader->script->text;

	if (reader->first_token < 0)
		reader->first_token = token.start;

	if (text[token.start] == '\\')
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("psql commands are not allowed in a migration"),
				 errhint("Remove what begins with the backslash."),
				 pgm_script_errposition(text, token.start)));

	if (reader->statement_starts)
	{
		reader->in_copy = token_is(text, token, "copy");
		reader->depth = 0;
	}
	else if (reader->in_copy && reader->after_from && token_is(text, token, "stdin"))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("COPY FROM STDIN is not allowed in a migration"),
				 errhint("Use INSERT, or COPY with a file of the server."),
				 pgm_script_errposition(text, token.start)));

	if (text[token.start] == '(')
		reader->depth++;
	else if (text[token.start] == ')')
		reader->depth--;
	reader->after_from = reader->depth == 0 && token_is(text, token, "from");
	reader->statement_starts = token_is(text, token, ";");
}

static void
read_text(PgmReader *reader)
{
	const char *text = reader->script->text;
	int			length = (int) strlen(text);
	PgmTokens	tokens;
	PgmToken	token;
	int			pos = 0;

	pgm_tokens_begin(&tokens, text, reader->script->conforming_strings);
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
				 pgm_script_errposition(text, 0)));
	if (!reader->parts_marked && reader->first_token < 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("script has no statement"),
				 errhint("An empty up part has to be marked with \"-- migrate:up\"."),
				 pgm_script_errposition(text, 0)));
}

/*
 * Read the markers of a script.  name and text must outlive the result.  Throws
 * with the line for what is wrong; the statements themselves are not parsed.
 */
PgmScript *
pgm_script_read(const char *name, const char *text, bool conforming_strings)
{
	PgmScript  *script = palloc0(sizeof(PgmScript));
	PgmReader	reader = {0};
	PgmScriptFrame frame = {script, PGM_PART_UP, 0, NULL, false};
	ErrorContextCallback callback;

	script->name = name;
	script->text = text;

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
