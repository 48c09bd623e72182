/*-------------------------------------------------------------------------
 *
 * position.c
 *	  What a script, its parts and its lines are called in messages.
 *
 * The server reports errors with a cursor position in the text that it parsed.
 * Here that text is the script and not what the client sent, so the position is
 * made an internal one, as SPI does, and the context says which migration,
 * which statement and which line it was.
 *
 * IDENTIFICATION
 *	  src/script/position.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "script/script.h"

/* A longer script is not repeated in an error; the statement alone is. */
#define MAX_QUOTED_SCRIPT	32768

static const char *const part_names[] = {
	[PGM_PART_UP] = "up",
	[PGM_PART_DOWN] = "down",
	[PGM_PART_VERIFY] = "verify",
	[PGM_PART_CHECK] = "check",
};

const char *
pgm_script_part_name(PgmPart part)
{
	return part_names[part];
}

/*
 * What a message calls the script.
 */
char *
pgm_script_subject(const PgmScript *script)
{
	if (script->name == NULL)
		return pstrdup("compensation");
	return psprintf("migration \"%s\"", script->name);
}

/*
 * Line of the text, from 1, on which the byte at the given offset stands.
 */
int
pgm_script_line(const char *sql, int offset)
{
	int			line = 1;

	for (int i = 0; i < offset && sql[i] != '\0'; i++)
	{
		if (sql[i] == '\n')
			line++;
	}
	return line;
}

/*
 * For use in ereport(): the error is at this byte of the script.
 */
int
pgm_script_errposition(const char *sql, int offset)
{
	return errposition(pg_mbstrlen_with_len(sql, offset) + 1);
}

/*
 * Byte offset of a character position, which counts from 1.
 */
static int
offset_of_position(const char *sql, int position)
{
	int			offset = 0;

	while (--position > 0 && sql[offset] != '\0')
		offset += pg_mblen(sql + offset);
	return offset;
}

/*
 * Turn the error's position into one in the script; returns its line, or 0 when
 * the error has no position of that kind.
 */
static int
move_position(const PgmScriptFrame *frame)
{
	const char *source = frame->script->sql;
	const PgmStatement *statement = frame->statement;
	int			position = geterrposition();

	if (position <= 0)
		return 0;

	errposition(0);
	position += pg_mbstrlen_with_len(source, frame->base);
	if (statement != NULL && strlen(source) > MAX_QUOTED_SCRIPT)
	{
		internalerrposition(position - pg_mbstrlen_with_len(source, statement->location));
		internalerrquery(pnstrdup(source + statement->location, statement->length));
	}
	else
	{
		internalerrposition(position);
		internalerrquery(source);
	}
	return pgm_script_line(source, offset_of_position(source, position));
}

/*
 * Error context callback; arg is a PgmScriptFrame.
 */
void
pgm_script_error_context(void *arg)
{
	const PgmScriptFrame *frame = (const PgmScriptFrame *) arg;
	const char *part = pgm_script_part_name(frame->part);
	char	   *subject = pgm_script_subject(frame->script);
	int			line = move_position(frame);

	if (frame->statement != NULL)
		errcontext("%s, %s statement %d, line %d",
				   subject, part,
				   frame->statement->number, frame->statement->line);
	if (frame->confined)
		errcontext("security-restricted operation, since the author of the script does not have the rights of the session user");
	if (frame->statement != NULL)
		return;
	if (line > 0)
		errcontext("script of %s, line %d", subject, line);
	else
		errcontext("script of %s", subject);
}
