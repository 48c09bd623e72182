/*-------------------------------------------------------------------------
 *
 * online_column.c
 *	  A new column whose value has to be computed for each row.
 *
 * The server writes the whole table anew for it.  Instead the column comes empty,
 * with the default for new rows from the same moment on; the old rows are filled
 * by a backfill; and what the column promises (not null, unique) is added when
 * they are.  An identity column has to be not null from the start: there the old
 * rows have a value that stands for none.
 *
 * IDENTIFICATION
 *	  src/plan/online_column.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_attribute.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "plan/online.h"

/* A new column in pieces. */
typedef struct NewColumn
{
	PgmAlteration *alteration;
	const ColumnDef *def;
	bool		computed;		/* has it to be filled? */
	const char *serial;			/* plain type of a serial one, or NULL */
	const char *sequence;		/* of a serial one */
	const char *kept;			/* the command without what comes later */
	char	   *value;			/* expression of the default */
	bool		not_null;
	const Constraint *identity; /* clause, or NULL */
	const char *identity_options;	/* in parentheses, or empty */
	List	   *keys;			/* of Constraint * */
	List	   *checks;			/* of Constraint * */
	List	   *check_slices;	/* of PgmSlice * */
	List	   *foreign_keys;	/* of Constraint *, those that come later */
	List	   *foreign_slices; /* of PgmSlice *, from REFERENCES on */
} NewColumn;

/*
 * The value that old rows of an identity column have until they are filled, one
 * that no sequence gives, or NULL if no such column can be of that type.
 */
static const char *
unfilled_value(const ColumnDef *def)
{
	const bool	missing_ok = true;

	switch (def->typeName == NULL ? InvalidOid : LookupTypeNameOid(NULL, def->typeName, missing_ok))
	{
		case INT2OID:
			return "'-32768'";
		case INT4OID:
			return "'-2147483648'";
		case INT8OID:
			return "'-9223372036854775808'";
		default:
			return NULL;
	}
}

/* Is the sequence named, or are its values others than the server's own? */
static bool
has_odd_sequence(const Constraint *identity)
{
	ListCell   *lc;

	foreach(lc, identity->options)
	{
		const DefElem *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "sequence_name") == 0 ||
			strcmp(option->defname, "minvalue") == 0)
			return true;
	}
	return false;
}

/*
 * Can a new column whose values are computed for each row be taken apart?  Not where
 * they are the server's to keep.  An identity column takes a table with a key.
 */
static bool
can_be_filled(const ColumnDef *def, bool has_key)
{
	bool		computed = pgm_effects_serial_base(def) != NULL;
	ListCell   *lc;

	foreach(lc, def->constraints)
	{
		const Constraint *constraint = lfirst_node(Constraint, lc);

		if (constraint->contype == CONSTR_GENERATED)
			return false;
		if (constraint->contype == CONSTR_IDENTITY &&
			(!has_key || unfilled_value(def) == NULL || has_odd_sequence(constraint)))
			return false;
		computed = computed || constraint->contype == CONSTR_DEFAULT ||
			constraint->contype == CONSTR_IDENTITY;
	}
	return computed;
}

/* Has a column a default, so that old rows get a value at once? */
static bool
has_default(const ColumnDef *def)
{
	ListCell   *lc;

	foreach(lc, def->constraints)
	{
		if (lfirst_node(Constraint, lc)->contype == CONSTR_DEFAULT)
			return true;
	}
	return false;
}

/*
 * Does a foreign key of a new column come later?  Without a value in the old rows
 * there is nothing to be checked.
 */
static bool
key_comes_later(const PgmAlteration *alteration, const ColumnDef *def, bool computed,
				const Constraint *constraint)
{
	return !computed && has_default(def) &&
		pgm_online_key_can_wait(alteration->relid, constraint);
}

/*
 * Is it ADD COLUMN IF NOT EXISTS of one that is there?  The server does nothing then,
 * not even what comes with the column.
 */
bool
pgm_online_column_is_there(const PgmAlteration *alteration, const AlterTableCmd *cmd)
{
	return cmd->subtype == AT_AddColumn && cmd->missing_ok &&
		get_attnum(alteration->relid, ((ColumnDef *) cmd->def)->colname) != InvalidAttrNumber;
}

/*
 * Can ADD COLUMN be taken apart?  "computed": it rewrites the table as it is
 * written.  If it does not, that takes a clause that would have the table read.
 */
bool
pgm_online_column_has_steps(const PgmAlteration *alteration, const AlterTableCmd *cmd,
							bool computed)
{
	const ColumnDef *def = (ColumnDef *) cmd->def;
	bool		partitioned = get_rel_relkind(alteration->relid) == RELKIND_PARTITIONED_TABLE;
	bool		promises = false;
	ListCell   *lc;

	if (pgm_online_column_is_there(alteration, cmd))
		return false;
	/* among the clauses it would be taken for a part of the default */
	if (def->collClause != NULL && def->constraints != NIL &&
		def->collClause->location > linitial_node(Constraint, def->constraints)->location)
		return false;
	foreach(lc, def->constraints)
	{
		const Constraint *constraint = lfirst_node(Constraint, lc);
		bool		is_key = constraint->contype == CONSTR_UNIQUE ||
			constraint->contype == CONSTR_PRIMARY;

		if (is_key && partitioned)
			return false;
		promises = promises || is_key ||
			(constraint->contype == CONSTR_FOREIGN &&
			 key_comes_later(alteration, def, computed, constraint)) ||
			(constraint->contype == CONSTR_CHECK && !pgm_is_not_enforced(constraint));
	}
	return computed ? can_be_filled(def, alteration->has_key) : promises;
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

/* The same without the name. */
static int
after_name(const PgmPieces *pieces, const Constraint *constraint, int end)
{
	int			start = clause_start(pieces, constraint, end);

	return pgm_pieces_match(pieces, start, "constraint") ? start + 2 : start;
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
 * Is a clause one that says when the key before it is checked?  If so, note it;
 * without a key, only say so.
 */
static bool
put_attribute(Constraint *key, const Constraint *clause)
{
	Constraint	nobody = {0};

	if (key == NULL)
		key = &nobody;

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

/* The options of an identity clause, in parentheses, or "". */
static const char *
identity_options(const PgmPieces *pieces, int start, int end)
{
	for (int i = start; i < end; i++)
	{
		if (pgm_pieces_match(pieces, i, "("))
			return pgm_pieces_text(pieces, i, end);
	}
	return "";
}

/*
 * Note a clause that stands from piece "start" to "end".  Returns whether it can
 * come with the column.
 */
static bool
read_clause(NewColumn *column, Constraint *constraint, int start, int end)
{
	const PgmPieces *pieces = column->alteration->pieces;

	switch (constraint->contype)
	{
		case CONSTR_DEFAULT:
			column->value = pgm_pieces_text(pieces, start + 1, end);
			return !column->computed;
		case CONSTR_NOTNULL:
			column->not_null = column->computed;
			return !column->computed;
		case CONSTR_IDENTITY:
			column->identity = constraint;
			column->identity_options = identity_options(pieces, start, end);
			return false;
		case CONSTR_CHECK:
			/* the old rows may not pass it before they are filled */
			column->checks = lappend(column->checks, constraint);
			column->check_slices = lappend(column->check_slices, make_slice(start, end));
			return false;
		case CONSTR_PRIMARY:
		case CONSTR_UNIQUE:
			column->keys = lappend(column->keys, copyObject(constraint));
			return false;
		case CONSTR_FOREIGN:
			if (!key_comes_later(column->alteration, column->def, column->computed, constraint))
				return true;
			column->foreign_keys = lappend(column->foreign_keys, constraint);
			column->foreign_slices = lappend(column->foreign_slices,
											 make_slice(after_name(pieces, constraint, end), end));
			return false;
		default:
			return true;
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
	List	   *constraints = column->def->constraints;
	StringInfoData buf;
	int			from = slice->from;
	bool		keep = true;
	PgmSlice   *foreign = NULL; /* the key before, if it comes later */
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, constraints)
	{
		Constraint *constraint = lfirst_node(Constraint, lc);
		ListCell   *next = lnext(constraints, lc);
		int			start = clause_start(pieces, constraint, slice->to);
		int			end = next == NULL ? slice->to :
			clause_start(pieces, lfirst_node(Constraint, next), slice->to);

		if (keep)
			appendStringInfo(&buf, " %s", pgm_pieces_text(pieces, from, start));
		from = start;
		/* what says when a key is checked stays with the key */
		if (foreign != NULL && put_attribute(NULL, constraint))
		{
			foreign->to = end;
			continue;
		}
		if (!keep && foreign == NULL && column->keys != NIL &&
			put_attribute(llast(column->keys), constraint))
			continue;
		keep = read_clause(column, constraint, start, end);
		foreign = keep || constraint->contype != CONSTR_FOREIGN ? NULL :
			llast(column->foreign_slices);
	}
	if (keep)
		appendStringInfo(&buf, " %s", pgm_pieces_text(pieces, from, slice->to));
	column->kept = buf.data + 1;
}

/* The sequence that the server will make for a column. */
static char *
sequence_name(NewColumn *column)
{
	Oid			relid = column->alteration->relid;
	char	   *nsp = get_namespace_name(get_rel_namespace(relid));

	return quote_qualified_identifier(nsp, pgm_online_choose_name(&column->alteration->names, relid,
																  column->def->colname, "seq",
																  PGM_NAMED_RELATION));
}

/*
 * A serial column is one of a plain type with a sequence of its own.
 */
static void
make_sequence(NewColumn *column)
{
	column->sequence = sequence_name(column);
	pgm_online_add(&column->alteration->steps, PGM_HOLD_BRIEF, "for the values of the column",
				   psprintf("CREATE SEQUENCE %s AS %s", column->sequence, column->serial));
	column->kept = psprintf("ADD COLUMN %s %s", quote_identifier(column->def->colname),
							column->serial);
	column->value = psprintf("nextval(%s)", quote_literal_cstr(column->sequence));
	column->not_null = true;
}

static void
add_fill(NewColumn *column)
{
	PgmAlteration *alteration = column->alteration;
	const char *name = quote_identifier(column->def->colname);
	PgmFill		fill = {
		.table = pgm_online_relation(alteration->stmt->relation),
		.assign = psprintf("%s = %s", name, column->value),
		.filter = column->identity == NULL ? psprintf("%s IS NULL", name) :
		psprintf("%s = %s", name, unfilled_value(column->def)),
		.name = pgm_online_fill_name(alteration->script, alteration->number,
									 column->def->colname)
	};

	/* the server numbers the rows as they are stored */
	fill.in_order = column->serial != NULL;
	if (column->identity != NULL)
		fill.why = "in batches, each a short transaction; the rows are numbered in the order of a key";
	pgm_online_add_fill(&alteration->steps, alteration->relid, &fill);
}

/*
 * Begin with ADD COLUMN, of which "slice" is the text: returns the commands that
 * make the column, to be put into one statement with others.
 */
char *
pgm_online_begin_column(PgmAlteration *alteration, const AlterTableCmd *cmd,
						const PgmSlice *slice, bool computed)
{
	NewColumn  *column = palloc0(sizeof(NewColumn));

	column->computed = computed;
	column->alteration = alteration;
	column->def = (ColumnDef *) cmd->def;
	column->serial = computed ? pgm_effects_serial_base(column->def) : NULL;
	read_clauses(column, slice);
	if (column->serial != NULL)
		make_sequence(column);
	alteration->columns = lappend(alteration->columns, column);
	if (column->identity != NULL)
	{
		column->sequence = sequence_name(column);
		column->value = psprintf("nextval(%s)", quote_literal_cstr(column->sequence));
		column->not_null = false;
		alteration->not_null = lappend(alteration->not_null, column->def->colname);
		return psprintf("%s NOT NULL DEFAULT %s", column->kept, unfilled_value(column->def));
	}
	/* the sequence has to be there before anybody can look at its use */
	if (column->serial != NULL || !computed)
		return pstrdup(column->kept);
	return psprintf("%s, ALTER COLUMN %s SET DEFAULT %s", column->kept,
					quote_identifier(column->def->colname), column->value);
}

/*
 * The default of new rows where it comes from a sequence.
 */
static void
use_sequence(NewColumn *column)
{
	PgmAlteration *alteration = column->alteration;
	const char *name = quote_identifier(column->def->colname);

	if (column->serial != NULL)
	{
		pgm_online_add_command(alteration, PGM_HOLD_BRIEF, "new rows have it from here on",
							   psprintf("ALTER COLUMN %s SET DEFAULT %s", name, column->value));
		pgm_online_add(&alteration->steps, PGM_HOLD_BRIEF, "goes with the column",
					   psprintf("ALTER SEQUENCE %s OWNED BY %s.%s", column->sequence,
								pgm_online_relation(alteration->stmt->relation), name));
	}
	else if (column->identity != NULL)
		pgm_online_add_command(alteration, PGM_HOLD_BRIEF, "new rows have it from here on",
							   psprintf("ALTER COLUMN %s DROP DEFAULT, ALTER COLUMN %s ADD GENERATED BY DEFAULT AS IDENTITY%s%s",
										name, name, column->identity_options[0] != '\0' ? " " : "",
										column->identity_options));
}

static void
end_column(NewColumn *column)
{
	PgmAlteration *alteration = column->alteration;
	ListCell   *lc;
	ListCell   *text;

	use_sequence(column);
	if (column->computed)
		add_fill(column);
	if (column->identity != NULL && column->identity->generated_when == ATTRIBUTE_IDENTITY_ALWAYS)
		pgm_online_add_command(alteration, PGM_HOLD_BRIEF, "all rows have their values",
							   psprintf("ALTER COLUMN %s SET GENERATED ALWAYS",
										quote_identifier(column->def->colname)));
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
	forboth(lc, column->foreign_keys, text, column->foreign_slices)
		pgm_online_add_column_key(alteration, lfirst_node(Constraint, lc), column->def->colname,
								  (PgmSlice *) lfirst(text));
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
	alteration->columns = NIL;
}
