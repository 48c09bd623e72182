/*-------------------------------------------------------------------------
 *
 * words.c
 *	  What hangs on a column, in the words of another column.
 *
 * What is built on the old column of an expansion, and what is built on the new
 * one, are the same if the server writes them alike once both columns have one
 * name.  To see that, the old column gets the name of the new one in a
 * subtransaction that is rolled back, in the catalog only, without a lock that
 * anybody waits for.
 *
 * IDENTIFICATION
 *	  src/swap/words.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/dependency.h"
#include "catalog/pg_attribute.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "base/subxact.h"
#include "swap/swap.h"

/* What the new column is called meanwhile. */
#define ASIDE	"pgmigrate, aside"

/*
 * The definition of an index without its name.
 */
char *
pgm_swap_index_words(Oid index)
{
	const char *definition = pg_get_indexdef_string(index);
	bool		unique = strncmp(definition, "CREATE UNIQUE", strlen("CREATE UNIQUE")) == 0;

	definition += strlen(unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ");
	definition += strlen(quote_identifier(get_rel_name(index))) + 1;
	return psprintf("%s%s", unique ? "UNIQUE " : "", definition);
}

/*
 * The definition of a constraint, whether it holds for all rows or not.
 */
char *
pgm_swap_constraint_words(Oid constraint)
{
	char	   *words = TextDatumGetCString(DirectFunctionCall1(pg_get_constraintdef,
																ObjectIdGetDatum(constraint)));
	int			length = strlen(words) - strlen(" NOT VALID");

	if (length > 0 && strcmp(words + length, " NOT VALID") == 0)
		words[length] = '\0';
	return words;
}

/*
 * What comes after the name of the constraint of an index, where another one is to
 * be added.
 */
char *
pgm_swap_key_definition(Oid index)
{
	Oid			constraint = get_index_constraint(index);
	char	   *command = pg_get_constraintdef_command(constraint);
	char	   *name = psprintf(" ADD CONSTRAINT %s ",
								quote_identifier(get_constraint_name(constraint)));
	char	   *definition = strstr(command, name);

	if (definition == NULL)
		elog(ERROR, "unexpected definition of constraint %u: %s", constraint, command);
	return definition + strlen(name);
}

static void
rename_column(Oid relid, AttrNumber attnum, const char *name)
{
	Relation	attributes = table_open(AttributeRelationId, RowExclusiveLock);
	HeapTuple	tuple = SearchSysCacheCopy2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(attnum));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for attribute %d of relation %u", attnum, relid);
	namestrcpy(&((Form_pg_attribute) GETSTRUCT(tuple))->attname, name);
	CatalogTupleUpdate(attributes, &tuple->t_self, tuple);
	table_close(attributes, RowExclusiveLock);
	CommandCounterIncrement();
}

static void
add_words(PgmSwap *swap, Oid object, char *text)
{
	PgmWords   *words = palloc(sizeof(PgmWords));

	words->object = object;
	words->text = text;

	swap->words = lappend(swap->words, words);
}

/* For pgm_subxact_run(). */
static void
read_words(void *arg)
{
	List	   *swaps = (List *) arg;
	ListCell   *lc;
	ListCell   *object;

	foreach(lc, swaps)
	{
		PgmSwap    *swap = (PgmSwap *) lfirst(lc);

		rename_column(swap->relid, swap->shadow_attnum, ASIDE);
		rename_column(swap->relid, swap->attnum, swap->shadow);
	}
	foreach(lc, swaps)
	{
		PgmSwap    *swap = (PgmSwap *) lfirst(lc);

		foreach(object, swap->found->indexes)
			add_words(swap, lfirst_oid(object), pgm_swap_index_words(lfirst_oid(object)));
		foreach(object, swap->found->constraints)
		{
			Oid			index = get_constraint_index(lfirst_oid(object));

			add_words(swap, lfirst_oid(object), pgm_swap_constraint_words(lfirst_oid(object)));
			if (OidIsValid(index))
				add_words(swap, index, pgm_swap_index_words(index));
		}
	}
}

/*
 * Note the words of all that hangs on the old columns of these tables.
 */
void
pgm_swap_read_words(List *swaps)
{
	const bool	keep = false;
	ErrorData  *error = pgm_subxact_run(read_words, swaps, keep);

	if (error != NULL)
		ReThrowError(error);
}

/*
 * Those of an index or a constraint.
 */
const char *
pgm_swap_words_of(const PgmSwap *swap, Oid object)
{
	ListCell   *lc;

	foreach(lc, swap->words)
	{
		const PgmWords *words = (PgmWords *) lfirst(lc);

		if (words->object == object)
			return words->text;
	}
	elog(ERROR, "nothing is known of object %u", object);
}
