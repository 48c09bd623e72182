/*-------------------------------------------------------------------------
 *
 * token.c
 *	  The server's own scanner, as a stream of token positions.
 *
 * What lies between two tokens is white space and comments, nothing else.  That
 * is how a marker comment is told from the same words in a string, a quoted
 * identifier or a function body: it is looked for in the gaps only.
 *
 * IDENTIFICATION
 *	  src/script/token.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/keywords.h"
#include "parser/scanner.h"
#include "parser/scansup.h"

#include "script/script.h"

/*
 * Start scanning a text.  Errors of the scanner carry their position.
 */
void
pgm_tokens_begin(PgmTokens *tokens, const char *sql, bool conforming_strings)
{
	tokens->scanner = scanner_init(sql, &tokens->extra, &ScanKeywords, ScanKeywordTokens);
	tokens->extra.standard_conforming_strings = conforming_strings;
	/* The parser comes over the same text later, and warns then. */
	tokens->extra.escape_string_warning = false;
}

/*
 * The next token; false at the end.
 *
 * The scanner tells where a token starts, not where it ends, but leaves a zero
 * byte there until it goes on (pg_stat_statements relies on that too).
 */
bool
pgm_tokens_next(PgmTokens *tokens, PgmToken *token)
{
	core_YYSTYPE value;
	YYLTYPE		location;

	if (core_yylex(&value, &location, tokens->scanner) == 0)
		return false;
	token->start = location;
	token->end = location + (int) strlen(tokens->extra.scanbuf + location);
	return true;
}

void
pgm_tokens_end(PgmTokens *tokens)
{
	scanner_finish(tokens->scanner);
}

static int
skip_block_comment(const char *sql, int pos, int end)
{
	int			depth = 0;

	while (pos < end)
	{
		if (pos + 1 < end && sql[pos] == '/' && sql[pos + 1] == '*')
		{
			depth++;
			pos += 2;
		}
		else if (pos + 1 < end && sql[pos] == '*' && sql[pos + 1] == '/')
		{
			pos += 2;
			if (--depth == 0)
				break;
		}
		else
			pos++;
	}
	return pos;
}

/*
 * In a gap between tokens, the position after the white-space character or the
 * comment that starts at pos.  A line comment ends before its newline.
 */
int
pgm_tokens_skip_comment(const char *sql, int pos, int end)
{
	if (scanner_isspace(sql[pos]))
		return pos + 1;
	if (pos + 1 < end && sql[pos] == '/' && sql[pos + 1] == '*')
		return skip_block_comment(sql, pos, end);
	while (pos < end && sql[pos] != '\n' && sql[pos] != '\r')
		pos++;
	return pos;
}
