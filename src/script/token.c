/*-------------------------------------------------------------------------
 *
 * token.c
 *	  The server's own scanner, as a stream of tokens and their positions.
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

#include <ctype.h>

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
 * Is the token at "text" one whose value is a text?  The server's headers do not
 * tell extensions which token is which, but the first character does.
 */
static bool
has_word(const char *text)
{
	return *text == '"' || *text == '\'' || *text == '_' || IS_HIGHBIT_SET(*text) ||
		isalpha((unsigned char) *text) ||
		(*text == '$' && !isdigit((unsigned char) text[1]));
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
	token->word = has_word(tokens->extra.scanbuf + location) ? value.str : NULL;
	return true;
}

void
pgm_tokens_end(PgmTokens *tokens)
{
	scanner_finish(tokens->scanner);
}

/*
 * The names, key words and strings in a text, as the server understands them.
 */
List *
pgm_tokens_words(const char *sql, bool conforming_strings)
{
	List	   *words = NIL;
	PgmTokens	tokens;
	PgmToken	token;

	pgm_tokens_begin(&tokens, sql, conforming_strings);
	while (pgm_tokens_next(&tokens, &token))
	{
		if (token.word != NULL)
			words = lappend(words, pstrdup(token.word));
	}
	pgm_tokens_end(&tokens);
	return words;
}

/*
 * How many of the words are the table, with its schema or without?
 */
int
pgm_tokens_count_table(List *words, const char *table)
{
	ListCell   *lc;
	int			count = 0;

	foreach(lc, words)
	{
		const char *word = (char *) lfirst(lc);
		const char *dot = strrchr(word, '.');

		if (strcmp(word, table) == 0 || (dot != NULL && strcmp(dot + 1, table) == 0))
			count++;
	}
	return count;
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
