/*-------------------------------------------------------------------------
 *
 * pieces.c
 *	  The text of a statement, cut where its tokens are.
 *
 * The server has a parser but nothing that makes text of a parse tree again.  So
 * where a statement becomes another one, what the user wrote is kept as it is,
 * in pieces, and only the words around it are new.  Where a few of its own words
 * would mean something else there, other text is put in their place.
 *
 * IDENTIFICATION
 *	  src/plan/pieces.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/nodeFuncs.h"

#include "plan/online.h"

/* Text in the place of some tokens. */
typedef struct Edit
{
	PgmSlice	slice;
	const char *text;
} Edit;

/* Names to be cut, for cut_name(). */
typedef struct Cut
{
	PgmPieces  *pieces;
	const RangeVar *relation;
	int			keep;
} Cut;

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
	pieces->edits = NIL;
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

/* The token after a name, which may say how it is escaped. */
static int
after_name(const PgmPieces *pieces, int i)
{
	return pgm_pieces_match(pieces, i + 1, "uescape") ? i + 3 : i + 1;
}

/*
 * The token at a location of the parse tree; -1 if there is none.
 */
int
pgm_pieces_at(const PgmPieces *pieces, int location)
{
	for (int i = 0; i < pieces->count; i++)
	{
		if (pieces->tokens[i].start == location - pieces->origin)
			return i;
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
	int			i = pgm_pieces_at(pieces, relation->location);
	bool		parenthesized = pgm_pieces_match(pieces, i - 1, "(");

	if (i < 0)
		return -1;
	i = after_name(pieces, i);
	while (pgm_pieces_match(pieces, i, "."))
		i = after_name(pieces, i + 1);
	if (pgm_pieces_match(pieces, i, parenthesized ? ")" : "*"))
		i++;
	return i;
}

/*
 * From here on, have "text" in the place of tokens.
 */
void
pgm_pieces_replace(PgmPieces *pieces, int from, int to, const char *text)
{
	Edit	   *edit = palloc(sizeof(Edit));

	edit->slice.from = from;
	edit->slice.to = to;
	edit->text = text;

	pieces->edits = lappend(pieces->edits, edit);
}

/* Does a reference name that relation before the column? */
static bool
names_relation(const ColumnRef *ref, const RangeVar *relation)
{
	int			n = list_length(ref->fields);
	const char *schema = relation->schemaname;

	if (n < 2 || !IsA(list_nth(ref->fields, n - 2), String) ||
		strcmp(strVal(list_nth(ref->fields, n - 2)), relation->relname) != 0)
		return false;
	return n < 3 || schema == NULL || strcmp(strVal(list_nth(ref->fields, n - 3)), schema) == 0;
}

static bool
cut_name(Node *node, Cut *cut)
{
	const ColumnRef *ref = (ColumnRef *) node;

	if (node == NULL)
		return false;
	if (!IsA(node, ColumnRef))
		return raw_expression_tree_walker(node, cut_name, cut);
	if (names_relation(ref, cut->relation))
	{
		int			from = pgm_pieces_at(cut->pieces, ref->location);
		int			to = from;

		for (int i = list_length(ref->fields); from >= 0 && i > cut->keep; i--)
			to = after_name(cut->pieces, to) + 1;
		if (to > from)
			pgm_pieces_replace(cut->pieces, from, to, "");
	}
	return false;
}

/*
 * Where columns of a relation are named with more than "keep" parts (schema, table,
 * column), leave the first ones off.
 */
void
pgm_pieces_cut_names(PgmPieces *pieces, Node *expression, const RangeVar *relation, int keep)
{
	Cut			cut = {pieces, relation, keep};

	(void) cut_name(expression, &cut);
}

/*
 * The token after the call of a function without arguments that begins there.
 */
int
pgm_pieces_after_call(const PgmPieces *pieces, int from)
{
	while (from < pieces->count && !pgm_pieces_match(pieces, from, ")"))
		from++;
	return from + 1;
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

/* What stands in the place of a token, or NULL. */
static const Edit *
edit_at(const PgmPieces *pieces, int i)
{
	ListCell   *lc;

	foreach(lc, pieces->edits)
	{
		if (((Edit *) lfirst(lc))->slice.from == i)
			return (Edit *) lfirst(lc);
	}
	return NULL;
}

/*
 * The text of some tokens with what lies between them.
 */
char *
pgm_pieces_text(const PgmPieces *pieces, int from, int to)
{
	StringInfoData buf;
	int			start;

	initStringInfo(&buf);
	if (from >= to)
		return buf.data;
	start = pieces->tokens[from].start;
	for (int i = from; i < to; i++)
	{
		const Edit *edit = edit_at(pieces, i);

		if (edit == NULL)
			continue;
		appendBinaryStringInfo(&buf, pieces->sql + start, pieces->tokens[i].start - start);
		appendStringInfoString(&buf, edit->text);
		i = edit->slice.to - 1;
		/* what was cut off was written right before what follows it, or not */
		start = edit->text[0] == '\0' && i + 1 < pieces->count ?
			pieces->tokens[i + 1].start : pieces->tokens[i].end;
	}
	if (start < pieces->tokens[to - 1].end)
		appendBinaryStringInfo(&buf, pieces->sql + start, pieces->tokens[to - 1].end - start);
	return buf.data;
}
