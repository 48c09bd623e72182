/*-------------------------------------------------------------------------
 *
 * split.c
 *	  The statements of a part of a script, as the server's parser sees them.
 *
 * The parser is given the part alone, so that it neither sees the other parts
 * nor needs a semicolon before them; the error context moves its positions.
 *
 * IDENTIFICATION
 *	  src/script/split.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "parser/parser.h"
#include "parser/scansup.h"
#include "tcop/utility.h"
#include "utils/elog.h"
#include "utils/guc.h"

#include "script/script.h"

/*
 * Parse under the string syntax that held when the script was registered.
 */
static List *
parse(const char *sql, bool conforming_strings)
{
	List	   *result;
	int			guc_level;

	if (standard_conforming_strings == conforming_strings)
		return raw_parser(sql, RAW_PARSE_DEFAULT);

	guc_level = NewGUCNestLevel();
	(void) set_config_option("standard_conforming_strings",
							 conforming_strings ? "on" : "off",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	result = raw_parser(sql, RAW_PARSE_DEFAULT);
	AtEOXact_GUC(true, guc_level);
	return result;
}

/*
 * Can a verify or check part have this?  They only look.
 */
static bool
statement_looks_only(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_SelectStmt:
		case T_ExplainStmt:
		case T_VariableShowStmt:
		case T_VariableSetStmt:
		case T_DoStmt:
			return true;
		default:
			return false;
	}
}

/*
 * Throw for what has no place in a script.
 */
static void
check_statement(const PgmScript *script, PgmPart part, const PgmStatement *statement)
{
	Node	   *stmt = statement->raw->stmt;
	int			location = statement->location - script->parts[part].start;

	if (IsA(stmt, TransactionStmt))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s is not allowed in a migration", GetCommandTagName(CreateCommandTag(stmt))),
				 errhint("Remove it: a migration is a transaction already."),
				 pgm_script_errposition(statement->source, location)));

	/* They outlive the run, and what it does again after a missed lock. */
	if (IsA(stmt, DeclareCursorStmt) || IsA(stmt, PrepareStmt))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s is not allowed in a migration", GetCommandTagName(CreateCommandTag(stmt))),
				 errhint("Use a DO block, which leaves nothing behind in the session."),
				 pgm_script_errposition(statement->source, location)));

	if (IsA(stmt, CopyStmt) && ((CopyStmt *) stmt)->filename == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("COPY to or from the client is not allowed in a migration"),
				 errhint("Use a file of the server, or INSERT and SELECT."),
				 pgm_script_errposition(statement->source, location)));

	if ((part == PGM_PART_VERIFY || part == PGM_PART_CHECK) && !statement_looks_only(stmt))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s is not allowed in the %s part of a migration",
						GetCommandTagName(CreateCommandTag(stmt)), pgm_script_part_name(part)),
				 errhint("That part only looks: it can have SELECT, SHOW, EXPLAIN, SET and DO."),
				 pgm_script_errposition(statement->source, location)));
}

/*
 * The statement after "previous", which is NULL for the first one of a part: its
 * place without the white space and comments around it.  Lines are counted on
 * from the previous statement, or else long scripts would take forever.
 */
static PgmStatement *
make_statement(const PgmScript *script, const PgmSpan *span, const char *source,
			   RawStmt *raw, const PgmStatement *previous)
{
	const char *sql = script->sql;
	PgmStatement *statement = palloc(sizeof(PgmStatement));
	int			counted = previous == NULL ? 0 : previous->location;
	int			start = span->start + raw->stmt_location;
	int			end = raw->stmt_len > 0 ? start + raw->stmt_len : span->end;

	while (start < end)
	{
		if (!scanner_isspace(sql[start]) &&
			!(sql[start] == '-' && sql[start + 1] == '-') &&
			!(sql[start] == '/' && sql[start + 1] == '*'))
			break;
		start = pgm_tokens_skip_comment(sql, start, end);
	}
	while (end > start && scanner_isspace(sql[end - 1]))
		end--;

	statement->number = previous == NULL ? 1 : previous->number + 1;
	statement->line = (previous == NULL ? 1 : previous->line) +
		pgm_script_line(sql + counted, start - counted) - 1;
	statement->location = start;
	statement->length = end - start;
	statement->source = source;
	statement->raw = raw;
	return statement;
}

/*
 * The statements of a part, as PgmStatement, in order; NIL if it is absent or
 * empty.  Throws for what the parser refuses and for what has no place there.
 */
List *
pgm_script_statements(const PgmScript *script, PgmPart part)
{
	const PgmSpan *span = &script->parts[part];
	PgmScriptFrame frame = {script, part, span->start, NULL, false};
	ErrorContextCallback callback;
	const char *source;
	PgmStatement *statement = NULL;
	List	   *result = NIL;
	ListCell   *lc;

	if (!span->present)
		return NIL;

	callback.callback = pgm_script_error_context;
	callback.arg = &frame;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	source = pnstrdup(script->sql + span->start, span->end - span->start);
	foreach(lc, parse(source, script->conforming_strings))
	{
		statement = make_statement(script, span, source, lfirst_node(RawStmt, lc), statement);
		check_statement(script, part, statement);
		result = lappend(result, statement);
	}

	error_context_stack = callback.previous;
	return result;
}
