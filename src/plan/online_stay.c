/*-------------------------------------------------------------------------
 *
 * online_stay.c
 *	  Statements that stay as they are: why, and what the user can do.
 *
 * IDENTIFICATION
 *	  src/plan/online_stay.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "plan/online.h"

#define NO_OTHER_FORM	"there is no other form: "
#define WAITS			NO_OTHER_FORM "whoever writes waits meanwhile"

static const char *
why_column(const ColumnDef *def)
{
	ListCell   *lc;

	foreach(lc, def->constraints)
	{
		switch (lfirst_node(Constraint, lc)->contype)
		{
			case CONSTR_GENERATED:
				return NO_OTHER_FORM "all values are stored at once; add a plain column, keep it up to date with a trigger, and fill it with a backfill";
			case CONSTR_IDENTITY:
				return NO_OTHER_FORM "the old rows could only be filled by a key, which the table has not got, or the sequence has options of its own; add a primary key before";
			default:
				break;
		}
	}
	return WAITS;
}

static bool
is_partitioned(const RangeVar *relation)
{
	Oid			relid = RangeVarGetRelid(relation, NoLock, true);

	return OidIsValid(relid) && get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE;
}

static const char *
why_constraint(const RangeVar *relation, const Constraint *constraint)
{
	switch (constraint->contype)
	{
		case CONSTR_EXCLUSION:
			return NO_OTHER_FORM "the index of an exclusion constraint cannot be built concurrently; run it when few write, or check with a trigger";
		case CONSTR_PRIMARY:
		case CONSTR_UNIQUE:
			if (!is_partitioned(relation))
				return WAITS;
			return NO_OTHER_FORM "the key of a partitioned table is built at once; build a unique index on each partition concurrently before, and it will be taken";
		case CONSTR_FOREIGN:
			if (constraint->skip_validation)
				return WAITS;
			if (is_partitioned(constraint->pktable))
				return NO_OTHER_FORM "before PostgreSQL 18, a foreign key to a partitioned table cannot be validated later";
			return NO_OTHER_FORM "before PostgreSQL 18, a foreign key of a partitioned table is checked at once; add it to each partition before";
		default:
			return WAITS;
	}
}

static const char *
why_alter(const AlterTableStmt *stmt)
{
	const char *why = WAITS;
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		switch (cmd->subtype)
		{
			case AT_AddColumn:
				why = why_column((ColumnDef *) cmd->def);
				break;
			case AT_AddConstraint:
				why = why_constraint(stmt->relation, (Constraint *) cmd->def);
				break;
			case AT_SetTableSpace:
				return NO_OTHER_FORM "all of it is copied under a lock; a tool like pg_repack can move a table while it is used";
			case AT_SetLogged:
			case AT_SetUnLogged:
				return NO_OTHER_FORM "all of it is copied under a lock; copy the rows into a new table with a backfill, and exchange the two";
			case AT_SetAccessMethod:
				return NO_OTHER_FORM "all rows are written anew under a lock; a tool like pg_repack can do that while the table is used";
			default:
				break;
		}
	}
	return why;
}

static const char *
why_reindex(const ReindexStmt *stmt)
{
	switch (stmt->kind)
	{
		case REINDEX_OBJECT_INDEX:
		case REINDEX_OBJECT_TABLE:
			if (pgm_classify_option_is_given(stmt->params, "concurrently"))
				return NO_OTHER_FORM "CONCURRENTLY is off, as it is written";
			if (stmt->relation != NULL &&
				IsCatalogRelationOid(RangeVarGetRelid(stmt->relation, NoLock, true)))
				return NO_OTHER_FORM "catalogs cannot be reindexed concurrently";
			return NO_OTHER_FORM "the index of an exclusion constraint cannot be built concurrently; run it when few write";
		default:
			return NO_OTHER_FORM "catalogs cannot be reindexed concurrently, and a database is too much for one step; reindex its schemas";
	}
}

/*
 * Why a statement stays that has others wait as long as it reads or writes a
 * table, and what can be done instead.
 */
const char *
pgm_online_why_it_stays(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_AlterTableStmt:
			return why_alter((AlterTableStmt *) stmt);
		case T_ReindexStmt:
			return why_reindex((ReindexStmt *) stmt);
		case T_ClusterStmt:
			return NO_OTHER_FORM "all rows are written anew under a lock; a tool like pg_repack can do that while the table is used";
		case T_VacuumStmt:
			return NO_OTHER_FORM "FULL writes all rows anew under a lock; a tool like pg_repack, or a plain VACUUM, works while the table is used";
		case T_RefreshMatViewStmt:
			return NO_OTHER_FORM "it takes a unique index on columns of the view, without WHERE, to refresh it beside readers";
		default:
			return WAITS;
	}
}
