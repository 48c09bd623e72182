/*-------------------------------------------------------------------------
 *
 * table_carry.c
 *	  What others have given a table, for the one that takes its place:
 *	  privileges, sequences, comments, replica identity.
 *
 * Nothing is taken from the new table, and what it has itself stays.
 *
 * IDENTIFICATION
 *	  src/swap/table_carry.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "commands/comment.h"
#include "executor/spi.h"
#include "utils/lsyscache.h"

#include "swap/swap.h"
#include "swap/table.h"

/* Commands that grant what others may do with the old table; see table.c for $n. */
static const char *const grants[] = {
	"SELECT format('GRANT %s ON %s TO %s%s', g.privilege_type, $2::regclass,"
	" CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END,"
	" CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)"
	" FROM pg_class c, aclexplode(c.relacl) g WHERE c.oid = $1 AND g.grantee <> c.relowner",

	"SELECT format('GRANT %s (%I) ON %s TO %s%s', g.privilege_type, m.new, $2::regclass,"
	" CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END,"
	" CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)"
	" FROM pg_attribute a JOIN unnest($3, $4) AS m (old, new) ON m.old = a.attname,"
	" aclexplode(a.attacl) g WHERE a.attrelid = $1 AND a.attnum > 0",
};

/*
 * Columns of the new table that have no values of their own by default, for
 * columns of the old one that own a sequence s: such sequences of the new one go
 * on where the old ones are, or else the old ones, or their like, go over.
 */
#define SEQUENCES \
	" FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'" \
	" JOIN pg_sequence s ON s.seqrelid = c.oid" \
	" JOIN pg_attribute a ON a.attrelid = $1 AND a.attnum = d.refobjsubid" \
	" JOIN unnest($3, $4) AS m (old, new) ON m.old = a.attname" \
	" JOIN pg_attribute n ON n.attrelid = $2 AND n.attname = m.new" \
	" CROSS JOIN LATERAL pg_get_serial_sequence($2::regclass::text, m.new) AS own" \
	" WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass" \
	" AND d.refobjid = $1 AND d.deptype IN ('a', 'i')"

static const char *const sequences[] = {
	/* an identity column like the old one */
	"SELECT format('ALTER TABLE %s ALTER COLUMN %I ADD GENERATED %s AS IDENTITY (START %s"
	" INCREMENT %s MINVALUE %s MAXVALUE %s CACHE %s %s)', $2::regclass, m.new,"
	" CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, s.seqstart,"
	" s.seqincrement, s.seqmin, s.seqmax, s.seqcache,"
	" CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END)"
	SEQUENCES " AND d.deptype = 'i' AND own IS NULL AND NOT n.atthasdef",

	/* the position */
	"SELECT format('SELECT setval(%L, s.last_value, s.is_called) FROM %s s', own, c.oid::regclass)"
	SEQUENCES " AND own IS NOT NULL AND own::regclass <> c.oid",

	/* the default, and the sequence itself */
	"SELECT format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT nextval(%L)', $2::regclass, m.new,"
	" c.oid::regclass)"
	SEQUENCES " AND d.deptype = 'a' AND own IS NULL AND NOT n.atthasdef AND a.atthasdef",
	"SELECT format('ALTER SEQUENCE %s OWNED BY %s.%I', c.oid::regclass, $2::regclass, m.new)"
	SEQUENCES " AND d.deptype = 'a' AND own IS NULL",
};

static const char *const replica_identity[] = {
	"SELECT format('ALTER TABLE %s REPLICA IDENTITY %s', $2::regclass,"
	" CASE o.relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END)"
	" FROM pg_class o JOIN pg_class n ON n.oid = $2 WHERE o.oid = $1"
	" AND o.relreplident IN ('f', 'n') AND n.relreplident = 'd'",
};

/* Run the commands that each of these queries returns. */
static void
run_commands(const PgmTableSwap *swap, const char *const *queries, int count)
{
	for (int i = 0; i < count; i++)
	{
		ListCell   *lc;

		foreach(lc, pgm_swap_table_texts(swap, queries[i], CurrentMemoryContext))
			pgm_swap_run("%s", (char *) lfirst(lc));
	}
}

/* A comment goes over unless there is one. */
static void
carry_comment(const PgmTableSwap *swap, AttrNumber attnum, AttrNumber new_attnum)
{
	char	   *comment = GetComment(swap->relid, RelationRelationId, attnum);

	if (comment != NULL && GetComment(swap->new_relid, RelationRelationId, new_attnum) == NULL)
		CreateComments(swap->new_relid, RelationRelationId, new_attnum, comment);
}

/*
 * Carry all that over.  Called with SPI connected, and the search_path pinned.
 */
void
pgm_swap_table_carry(const PgmTableSwap *swap)
{
	ListCell   *lc;
	ListCell   *new;

	run_commands(swap, grants, lengthof(grants));
	run_commands(swap, sequences, lengthof(sequences));
	run_commands(swap, replica_identity, lengthof(replica_identity));
	carry_comment(swap, 0, 0);
	forboth(lc, swap->columns, new, swap->new_columns)
		carry_comment(swap, get_attnum(swap->relid, (char *) lfirst(lc)),
					  get_attnum(swap->new_relid, (char *) lfirst(new)));
}
