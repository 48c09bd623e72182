/*-------------------------------------------------------------------------
 *
 * pieces.c
 *	  The text of a statement, cut where its tokens are.
 *
 * The server has a parser but nothing that makes text of a parse tree again.  So
 * where a statement becomes another one, what the user wrote is kept as it is,
 * in pieces, and only the words around it are new.
 *
 * IDENTIFICATION
 *	  src/plan/pieces.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "plan/online.h"

/*
 * The tokens of a statement of the up part.
 */
PgmPieces *
pgm_pieces_read(const PgmScript *script, const PgmStatement *statement)
{
	PgmPieces  *pieces = palloc(sizeof(PgmPieces));
	int			room = 64;
	PgmTokens	tokens;
	PgmToken	token;

	pieces->sql = pnstrdup(script->sql + statement->location, statement->length);
	pieces->origin = statement->location - script->parts[PGM_PART_UP].start;
	pieces->tokens = palloc(sizeof(PgmToken) * room);
	pieces->count = 0;
	pgm_tokens_begin(&tokens, pieces->sql, script->conforming_strings);
	while (pgm_tokens_next(&tokens, &token))
	{
		if (pieces->count == room)
		{
			room *= 2;
			pieces->tokens = repalloc(pieces->tokens, sizeof(PgmToken) * room);
		}
		pieces->tokens[pieces->count++] = token;
	}
	pgm_tokens_end(&tokens);
	return pieces;
}

/*
 * Is that token this word, or this character?
 */
bool
pgm_pieces_match(const PgmPieces *pieces, int i, const char *word)
{
	const PgmToken *token;

	if (i < 0 || i >= pieces->count)
		return false;
	token = &pieces->tokens[i];
	return token->end - token->start == (int) strlen(word) &&
		pg_strncasecmp(pieces->sql + token->start, word, strlen(word)) == 0;
}

/* What a token does to the depth of parentheses and brackets. */
static int
nesting(const PgmPieces *pieces, int i)
{
	if (pgm_pieces_match(pieces, i, "(") || pgm_pieces_match(pieces, i, "["))
		return 1;
	if (pgm_pieces_match(pieces, i, ")") || pgm_pieces_match(pieces, i, "]"))
		return -1;
	return 0;
}

/*
 * The first such token from one on that is in no parentheses; -1 if there is none.
 */
int
pgm_pieces_find(const PgmPieces *pieces, int from, const char *word)
{
	int			depth = 0;

	for (int i = from; i < pieces->count; i++)
	{
		if (depth == 0 && pgm_pieces_match(pieces, i, word))
			return i;
		depth += nesting(pieces, i);
	}
	return -1;
}

/*
 * The token after a relation's name, with all that belongs to it; -1 if it is not
 * found.
 */
int
pgm_pieces_after_relation(const PgmPieces *pieces, const RangeVar *relation)
{
	for (int i = 0; i < pieces->count; i++)
	{
		bool		parenthesized = pgm_pieces_match(pieces, i - 1, "(");

		if (pieces->tokens[i].start != relation->location - pieces->origin)
			continue;
		i++;
		while (pgm_pieces_match(pieces, i, "."))
			i += 2;
		if (pgm_pieces_match(pieces, i, parenthesized ? ")" : "*"))
			i++;
		return i;
	}
	return -1;
}

/*
 * The rest of a statement from a token on, at its commas, as PgmSlice *.
 */
List *
pgm_pieces_split(const PgmPieces *pieces, int from)
{
	List	   *slices = NIL;

	while (from < pieces->count)
	{
		PgmSlice   *slice = palloc(sizeof(PgmSlice));
		int			comma = pgm_pieces_find(pieces, from, ",");

		slice->from = from;
		slice->to = comma < 0 ? pieces->count : comma;
		slices = lappend(slices, slice);
		from = slice->to + 1;
	}
	return slices;
}

/*
 * The text of some tokens with what lies between them.
 */
char *
pgm_pieces_text(const PgmPieces *pieces, int from, int to)
{
	int			start;

	if (from >= to)
		return pstrdup("");
	start = pieces->tokens[from].start;
	return pnstrdup(pieces->sql + start, pieces->tokens[to - 1].end - start);
}
