/*-------------------------------------------------------------------------
 *
 * online_column.c
 *	  A new column whose value has to be computed for each row.
 *
 * The server writes the whole table anew for it.  Instead the column comes empty,
 * with the default for new rows from the same moment on; the old rows are filled
 * by a backfill; and what the column promises (not null, unique) is added when
 * they are.
 *
 * IDENTIFICATION
 *	  src/plan/online_column.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "plan/online.h"

/* A new column in pieces. */
typedef struct NewColumn
{
	PgmAlteration *alteration;
	const ColumnDef *def;
	const char *serial;			/* plain type of a serial one, or NULL */
	const char *sequence;		/* of a serial one */
	const char *kept;			/* the command without what comes later */
	char	   *value;			/* expression of the default */
	bool		not_null;
	List	   *keys;			/* of Constraint * */
	List	   *checks;			/* of Constraint * */
	List	   *check_slices;	/* of PgmSlice * */
} NewColumn;

/*
 * Can a command of a statement that rewrites the table be taken apart?  Not where
 * the value is the server's to keep.
 */
bool
pgm_online_column_has_steps(const AlterTableCmd *cmd)
{
	const ColumnDef *def = (ColumnDef *) cmd->def;
	bool		computed = pgm_effects_serial_base(def) != NULL;
	ListCell   *lc;

	/* among the clauses it would be taken for a part of the default */
	if (def->collClause != NULL && def->constraints != NIL &&
		def->collClause->location > linitial_node(Constraint, def->constraints)->location)
		return false;
	foreach(lc, def->constraints)
	{
		const Constraint *constraint = lfirst_node(Constraint, lc);

		if (constraint->contype == CONSTR_GENERATED || constraint->contype == CONSTR_IDENTITY)
			return false;
		computed = computed || constraint->contype == CONSTR_DEFAULT;
	}
	return computed;
}

/* The token at a location of the parse tree, or that at the end. */
static int
token_at(const PgmPieces *pieces, int location, int end)
{
	for (int i = 0; i < end; i++)
	{
		if (pieces->tokens[i].start >= location - pieces->origin)
			return i;
	}
	return end;
}

/* Where a clause begins, its name included. */
static int
clause_start(const PgmPieces *pieces, const Constraint *constraint, int end)
{
	int			start = token_at(pieces, constraint->location, end);

	if (constraint->conname != NULL && pgm_pieces_match(pieces, start - 2, "constraint"))
		start -= 2;
	return start;
}

static PgmSlice *
make_slice(int from, int to)
{
	PgmSlice   *slice = palloc(sizeof(PgmSlice));

	slice->from = from;
	slice->to = to;
	return slice;
}

/*
 * Is a clause one that says when the key before it is checked?  If so, note it.
 */
static bool
put_attribute(Constraint *key, const Constraint *clause)
{
	switch (clause->contype)
	{
		case CONSTR_ATTR_DEFERRABLE:
			key->deferrable = true;
			return true;
		case CONSTR_ATTR_DEFERRED:
			key->deferrable = key->initdeferred = true;
			return true;
		case CONSTR_ATTR_NOT_DEFERRABLE:
		case CONSTR_ATTR_IMMEDIATE:
			return true;
		default:
			return false;
	}
}

/*
 * Cut the command where its clauses begin; keep those that can come with the
 * column, and note the others.
 */
static void
read_clauses(NewColumn *column, const PgmSlice *slice)
{
	const PgmPieces *pieces = column->alteration->pieces;
	StringInfoData buf;
	int			from = slice->from;
	bool		keep = true;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, column->def->constraints)
	{
		Constraint *constraint = lfirst_node(Constraint, lc);
		int			start = clause_start(pieces, constraint, slice->to);
		int			end = lnext(column->def->constraints, lc) == NULL ? slice->to :
			clause_start(pieces, lfirst_node(Constraint, lnext(column->def->constraints, lc)),
						 slice->to);

		if (keep)
			appendStringInfo(&buf, " %s", pgm_pieces_text(pieces, from, start));
		from = start;
		/* what says when a key is checked stays with the key */
		if (!keep && column->keys != NIL && put_attribute(llast(column->keys), constraint))
			continue;
		keep = false;
		switch (constraint->contype)
		{
			case CONSTR_DEFAULT:
				column->value = pgm_pieces_text(pieces, start + 1, end);
				break;
			case CONSTR_NOTNULL:
				column->not_null = true;
				break;
			case CONSTR_CHECK:
				/* the old rows may not pass it before they are filled */
				column->checks = lappend(column->checks, constraint);
				column->check_slices = lappend(column->check_slices, make_slice(start, end));
				break;
			case CONSTR_PRIMARY:
			case CONSTR_UNIQUE:
				column->keys = lappend(column->keys, copyObject(constraint));
				break;
			default:
				keep = true;
		}
	}
	if (keep)
		appendStringInfo(&buf, " %s", pgm_pieces_text(pieces, from, slice->to));
	column->kept = buf.data + 1;
}

/*
 * A serial column is one of a plain type with a sequence of its own.
 */
static void
make_sequence(NewColumn *column)
{
	PgmAlteration *alteration = column->alteration;
	const ColumnDef *def = column->def;
	const bool	isconstraint = false;
	char	   *nsp = get_namespace_name(get_rel_namespace(alteration->relid));
	char	   *name = ChooseRelationName(get_rel_name(alteration->relid), def->colname, "seq",
										  get_rel_namespace(alteration->relid), isconstraint);

	name = quote_qualified_identifier(nsp, name);
	pgm_online_add(&alteration->steps, PGM_HOLD_BRIEF, "for the values of the column",
				   psprintf("CREATE SEQUENCE %s AS %s", name, column->serial));
	column->kept = psprintf("ADD COLUMN %s %s", quote_identifier(def->colname),
							column->serial);
	column->value = psprintf("nextval(%s)", quote_literal_cstr(name));
	column->not_null = true;
	column->sequence = name;
}

static void
add_fill(NewColumn *column)
{
	PgmAlteration *alteration = column->alteration;
	const char *name = quote_identifier(column->def->colname);
	PgmFill		fill = {
		.table = pgm_online_relation(alteration->stmt->relation),
		.assign = psprintf("%s = %s", name, column->value),
		.filter = psprintf("%s IS NULL", name),
		.name = pgm_online_fill_name(alteration->script, alteration->number,
									 column->def->colname)
	};

	pgm_online_add_fill(&alteration->steps, alteration->relid, &fill);
}

/*
 * Begin with ADD COLUMN, of which "slice" is the text: returns the commands that
 * make the column, to be put into one statement with others.
 */
char *
pgm_online_begin_column(PgmAlteration *alteration, const AlterTableCmd *cmd,
						const PgmSlice *slice)
{
	NewColumn  *column = palloc0(sizeof(NewColumn));

	column->alteration = alteration;
	column->def = (ColumnDef *) cmd->def;
	column->serial = pgm_effects_serial_base(column->def);
	read_clauses(column, slice);
	if (column->serial != NULL)
		make_sequence(column);
	alteration->columns = lappend(alteration->columns, column);
	return psprintf("%s, ALTER COLUMN %s SET DEFAULT %s", column->kept,
					quote_identifier(column->def->colname), column->value);
}

static void
end_column(NewColumn *column)
{
	PgmAlteration *alteration = column->alteration;
	ListCell   *lc;
	ListCell   *text;

	if (column->serial != NULL)
		pgm_online_add(&alteration->steps, PGM_HOLD_BRIEF, "goes with the column",
					   psprintf("ALTER SEQUENCE %s OWNED BY %s.%s", column->sequence,
								pgm_online_relation(alteration->stmt->relation),
								quote_identifier(column->def->colname)));
	add_fill(column);
	forboth(lc, column->checks, text, column->check_slices)
		pgm_online_add_constraint(alteration, lfirst_node(Constraint, lc), (PgmSlice *) lfirst(text));
	if (column->not_null)
		pgm_online_set_not_null(alteration, column->def->colname);
	foreach(lc, column->keys)
	{
		Constraint *key = lfirst_node(Constraint, lc);

		key->keys = list_make1(makeString(column->def->colname));
		pgm_online_add_key(alteration, key);
	}
}

/*
 * Fill the new columns that are there, and add what they promise.
 */
void
pgm_online_end_columns(PgmAlteration *alteration)
{
	ListCell   *lc;

	foreach(lc, alteration->columns)
		end_column((NewColumn *) lfirst(lc));
}
