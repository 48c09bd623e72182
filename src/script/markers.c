/*-------------------------------------------------------------------------
 *
 * markers.c
 *	  The marker comments of a script.
 *
 * A marker is a line comment that begins its line, as in dbmate's files, of
 * which this is a superset:
 *
 *		-- migrate:up [key:value ...]		the four that begin a part
 *		-- migrate:down
 *		-- migrate:verify
 *		-- migrate:check
 *		-- migrate:requires a, b			the others hold for the whole script
 *		-- migrate:conflicts c
 *		-- migrate:repeatable
 *		-- migrate:seed
 *		-- migrate:description words
 *
 * Without a marker that begins a part, all of the script is the up part.  What
 * is not understood is refused: a misspelt marker would otherwise be a comment,
 * and a down part would run as up.
 *
 * IDENTIFICATION
 *	  src/script/markers.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "parser/scansup.h"

#include "script/reader.h"

/* A word of a marker line, in bytes of the script. */
typedef struct Word
{
	int			start;
	int			end;
} Word;

typedef void (*MarkerHandler) (PgmReader *reader, Word marker, Word rest);

static bool
word_is(const char *sql, Word word, const char *value)
{
	int			length = (int) strlen(value);

	return word.end - word.start == length &&
		strncmp(sql + word.start, value, length) == 0;
}

static Word
next_word(const char *sql, Word *rest)
{
	Word		word;

	while (rest->start < rest->end && scanner_isspace(sql[rest->start]))
		rest->start++;
	word.start = rest->start;
	while (rest->start < rest->end && !scanner_isspace(sql[rest->start]))
		rest->start++;
	word.end = rest->start;
	return word;
}

static Word
trim(const char *sql, Word word)
{
	while (word.start < word.end && scanner_isspace(sql[word.start]))
		word.start++;
	while (word.end > word.start && scanner_isspace(sql[word.end - 1]))
		word.end--;
	return word;
}

static void
refuse_rest(PgmReader *reader, Word marker, Word rest)
{
	const char *sql = reader->script->sql;

	rest = trim(sql, rest);
	if (rest.start < rest.end)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("marker \"%.*s\" takes no argument",
						marker.end - marker.start, sql + marker.start),
				 pgm_script_errposition(sql, rest.start)));
}

static void
refuse_repeated(PgmReader *reader, Word marker)
{
	const char *sql = reader->script->sql;

	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("marker \"%.*s\" is repeated or contradicts an earlier one",
					marker.end - marker.start, sql + marker.start),
			 pgm_script_errposition(sql, marker.start)));
}

/*
 * An option of the up marker.
 */
static void
read_option(PgmReader *reader, Word word)
{
	PgmScript  *script = reader->script;
	const char *sql = script->sql;

	if (word_is(sql, word, "mode:auto") || word_is(sql, word, "transaction:true"))
		script->mode = PGM_MODE_AUTO;
	else if (word_is(sql, word, "mode:atomic"))
		script->mode = PGM_MODE_ATOMIC;
	else if (word_is(sql, word, "mode:online") || word_is(sql, word, "transaction:false"))
		script->mode = PGM_MODE_ONLINE;
	else
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("unrecognized option \"%.*s\" of marker \"migrate:up\"",
						word.end - word.start, sql + word.start),
				 errhint("The options are mode:auto, mode:atomic, mode:online, transaction:true and transaction:false."),
				 pgm_script_errposition(sql, word.start)));

	if (reader->mode_marked)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("option \"%.*s\" repeats or contradicts an earlier one",
						word.end - word.start, sql + word.start),
				 pgm_script_errposition(sql, word.start)));
	reader->mode_marked = true;
}

/*
 * A marker that begins a part: what comes before it on its own line ends the
 * part that was open.
 */
static void
begin_part(PgmReader *reader, PgmPart part, Word marker, Word rest)
{
	PgmScript  *script = reader->script;

	if (reader->parts_marked && script->parts[part].present)
		refuse_repeated(reader, marker);
	if (!reader->parts_marked && reader->first_token >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("statement before the first part of the script"),
				 errhint("Put it after \"-- migrate:up\"."),
				 pgm_script_errposition(script->sql, reader->first_token)));

	if (reader->open_part >= 0)
		script->parts[reader->open_part].end = reader->comment;
	script->parts[part].present = true;
	script->parts[part].start = rest.end;
	reader->open_part = part;
	reader->parts_marked = true;
	/* The part before need not have ended in a semicolon. */
	reader->statement_starts = true;
	reader->in_copy = false;
}

static void
handle_up(PgmReader *reader, Word marker, Word rest)
{
	Word		left = rest;

	begin_part(reader, PGM_PART_UP, marker, rest);
	for (;;)
	{
		Word		word = next_word(reader->script->sql, &left);

		if (word.start == word.end)
			break;
		read_option(reader, word);
	}
}

/*
 * A compensation happens once: it has no place in an order, and no way back but
 * another compensation.
 */
static void
refuse_in_compensation(PgmReader *reader, Word marker)
{
	const char *sql = reader->script->sql;

	if (reader->script->name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("marker \"%.*s\" is not allowed in a compensation",
						marker.end - marker.start, sql + marker.start),
				 errhint("Register a migration if it has to be undone, ordered or repeated."),
				 pgm_script_errposition(sql, marker.start)));
}

static void
handle_down(PgmReader *reader, Word marker, Word rest)
{
	refuse_in_compensation(reader, marker);
	refuse_rest(reader, marker, rest);
	begin_part(reader, PGM_PART_DOWN, marker, rest);
}

static void
handle_verify(PgmReader *reader, Word marker, Word rest)
{
	refuse_rest(reader, marker, rest);
	begin_part(reader, PGM_PART_VERIFY, marker, rest);
}

static void
handle_check(PgmReader *reader, Word marker, Word rest)
{
	refuse_rest(reader, marker, rest);
	begin_part(reader, PGM_PART_CHECK, marker, rest);
}

static void
set_kind(PgmReader *reader, Word marker, Word rest, PgmKind kind)
{
	refuse_in_compensation(reader, marker);
	refuse_rest(reader, marker, rest);
	if (reader->kind_marked)
		refuse_repeated(reader, marker);
	reader->kind_marked = true;
	reader->script->kind = kind;
}

static void
handle_repeatable(PgmReader *reader, Word marker, Word rest)
{
	set_kind(reader, marker, rest, PGM_KIND_REPEATABLE);
}

static void
handle_seed(PgmReader *reader, Word marker, Word rest)
{
	set_kind(reader, marker, rest, PGM_KIND_SEED);
}

static void
handle_description(PgmReader *reader, Word marker, Word rest)
{
	const char *sql = reader->script->sql;

	if (reader->script->description != NULL)
		refuse_repeated(reader, marker);
	rest = trim(sql, rest);
	if (rest.start == rest.end)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("marker \"migrate:description\" has no text"),
				 pgm_script_errposition(sql, marker.start)));
	reader->script->description = pnstrdup(sql + rest.start, rest.end - rest.start);
}

/*
 * One name of a list, checked; "earlier" has those before it.
 */
static char *
read_name(PgmReader *reader, Word marker, Word word, List *earlier)
{
	const char *sql = reader->script->sql;
	char	   *name;
	int			fault;

	word = trim(sql, word);
	if (word.start == word.end)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("marker \"%.*s\" lacks a name",
						marker.end - marker.start, sql + marker.start),
				 errhint("Write the names of migrations, separated by commas."),
				 pgm_script_errposition(sql, word.start)));

	name = pnstrdup(sql + word.start, word.end - word.start);
	fault = pgm_name_fault(name);
	if (fault >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid migration name \"%s\"", name),
				 errhint("Write the names of migrations, separated by commas."),
				 pgm_script_errposition(sql, word.start + fault)));
	if (reader->script->name != NULL && strcmp(name, reader->script->name) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("migration \"%s\" names itself", name),
				 pgm_script_errposition(sql, word.start)));
	if (pgm_script_has_name(reader->script->requires, name) ||
		pgm_script_has_name(reader->script->conflicts, name) ||
		pgm_script_has_name(earlier, name))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("migration \"%s\" is named twice", name),
				 pgm_script_errposition(sql, word.start)));
	return name;
}

static List *
read_names(PgmReader *reader, Word marker, Word rest)
{
	const char *sql = reader->script->sql;
	List	   *names = NIL;

	for (;;)
	{
		Word		word = rest;

		while (rest.start < rest.end && sql[rest.start] != ',')
			rest.start++;
		word.end = rest.start;
		names = lappend(names, read_name(reader, marker, word, names));
		if (rest.start == rest.end)
			return names;
		rest.start++;
	}
}

static void
handle_requires(PgmReader *reader, Word marker, Word rest)
{
	refuse_in_compensation(reader, marker);
	if (reader->requires_marked)
		refuse_repeated(reader, marker);
	reader->requires_marked = true;
	reader->script->requires = read_names(reader, marker, rest);
}

static void
handle_conflicts(PgmReader *reader, Word marker, Word rest)
{
	refuse_in_compensation(reader, marker);
	if (reader->conflicts_marked)
		refuse_repeated(reader, marker);
	reader->conflicts_marked = true;
	reader->script->conflicts = read_names(reader, marker, rest);
}

typedef struct Marker
{
	const char *name;
	MarkerHandler handler;
} Marker;

static const Marker markers[] = {
	{"migrate:up", handle_up},
	{"migrate:down", handle_down},
	{"migrate:verify", handle_verify},
	{"migrate:check", handle_check},
	{"migrate:requires", handle_requires},
	{"migrate:conflicts", handle_conflicts},
	{"migrate:repeatable", handle_repeatable},
	{"migrate:seed", handle_seed},
	{"migrate:description", handle_description},
};

/*
 * Is the line comment [start, end) a marker?  If so, obey it.  One that is not
 * where or how it should be is refused, for dbmate would take it as a comment.
 */
void
pgm_markers_read_comment(PgmReader *reader, int start, int end)
{
	const char *sql = reader->script->sql;
	Word		rest = {start + 2, end};
	Word		marker = next_word(sql, &rest);

	if (marker.end - marker.start < 8 || pg_strncasecmp(sql + marker.start, "migrate:", 8) != 0)
		return;
	if (start > 0 && sql[start - 1] != '\n' && sql[start - 1] != '\r')
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("marker \"%.*s\" does not begin its line",
						marker.end - marker.start, sql + marker.start),
				 errhint("Put it on a line of its own, without blanks before the two dashes."),
				 pgm_script_errposition(sql, marker.start)));

	reader->comment = start;
	for (int i = 0; i < lengthof(markers); i++)
	{
		if (word_is(sql, marker, markers[i].name))
		{
			markers[i].handler(reader, marker, rest);
			return;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("unrecognized marker \"%.*s\"", marker.end - marker.start, sql + marker.start),
			 errhint("The markers are migrate:up, down, verify, check, requires, conflicts, repeatable, seed and description, in lower case."),
			 pgm_script_errposition(sql, marker.start)));
}
