/*-------------------------------------------------------------------------
 *
 * probe.c
 *	  Asking the server whether a statement rewrites or scans a table.
 *
 * Which ALTER TABLE rewrites depends on types, casts, defaults, their
 * volatility and the version; the server knows, we do not want to.  So the
 * statement is run on an empty copy of the table in the temporary schema, in a
 * subtransaction that is rolled back: a new relfilenode afterwards means a
 * rewrite, and a scan counted by the statistics system means a scan.  The table
 * itself is locked only against being dropped meanwhile (AccessShareLock).  The
 * copies live on from statement to statement, so that one statement sees what
 * those before it would have done.
 *
 * An empty copy still has expressions (checks, defaults, indexes) that the
 * table's owner wrote, and planning them can call functions.  So the copy
 * belongs to the table's owner and everything but its bare creation happens as
 * that role in a security-restricted operation.  What this role may not do
 * makes the answer unknown, never wrong.  What its code leaves in the temporary
 * schema would be found by the next owner's statements: a probe is for tables of
 * one owner, and what it did is rolled back before the next begins.
 *
 * IDENTIFICATION
 *	  src/plan/probe.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/attmap.h"
#include "access/genam.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_utilcmd.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/relation.h"
#include "base/subxact.h"
#include "plan/plan.h"

/* A table and its empty copy. */
typedef struct Clone
{
	Oid			original;
	Oid			owner;
	Oid			relid;
	RangeVar   *name;
} Clone;

struct PgmProbe
{
	MemoryContext context;		/* of the list and what is in it */
	List	   *clones;			/* of Clone * */
};

/* One statement, for pgm_subxact_run(). */
typedef struct Trial
{
	PgmProbe   *probe;
	const PgmStatement *statement;
	PgmProbeResult result;
} Trial;

static void
run_sql(const char *sql)
{
	const bool	read_only = false;
	const long	all_rows = 0;

	if (SPI_execute(sql, read_only, all_rows) < 0)
		elog(ERROR, "SPI_execute failed: %s", sql);
}

static void
act_as(PgmOwnerRights *before, Oid owner, int flags)
{
	GetUserIdAndSecContext(&before->userid, &before->sec_context);
	SetUserIdAndSecContext(owner, before->sec_context | flags);
}

/*
 * Act as the owner of a table, in a security-restricted operation, until
 * pgm_probe_leave_owner().
 */
void
pgm_probe_enter_owner(PgmOwnerRights *before, Oid owner)
{
	act_as(before, owner, SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
}

void
pgm_probe_leave_owner(const PgmOwnerRights *before)
{
	SetUserIdAndSecContext(before->userid, before->sec_context);
}

/*
 * Run a utility statement that needs no text.
 */
static void
run_utility(Node *stmt, const char *source)
{
	PlannedStmt *planned = makeNode(PlannedStmt);

	planned->commandType = CMD_UTILITY;
	planned->canSetTag = true;
	planned->utilityStmt = stmt;
	planned->stmt_location = -1;
	PushActiveSnapshot(GetTransactionSnapshot());
	ProcessUtility(planned, source, false, PROCESS_UTILITY_QUERY, NULL, NULL,
				   None_Receiver, NULL);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

/*
 * Give the copy the table's checks, which may prove that nothing is NULL.
 */
static void
copy_checks(const Clone *clone)
{
	const bool	keep_settings = false;
	int			guc_level = NewGUCNestLevel();
	SPITupleTable *rows;
	uint64		count;

	/* Otherwise names without a schema are looked for in pg_temp first. */
	pgm_guc_pin_search_path();
	run_sql(psprintf("SELECT pg_catalog.format('ALTER TABLE pg_temp.%s ADD CONSTRAINT %%I %%s',"
					 " conname, pg_catalog.pg_get_constraintdef(oid))"
					 " FROM pg_catalog.pg_constraint"
					 " WHERE conrelid OPERATOR(pg_catalog.=) %u"
					 " AND contype OPERATOR(pg_catalog.=) 'c'",
					 quote_identifier(clone->name->relname), clone->original));
	rows = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
		run_sql(SPI_getvalue(rows->vals[i], rows->tupdesc, 1));
	AtEOXact_GUC(keep_settings, guc_level);
}

/*
 * Give the copy the table's indexes, which a change of type may rebuild.
 */
static void
copy_indexes(const Clone *clone)
{
	Relation	table = relation_open(clone->original, AccessShareLock);
	AttrMap    *map = make_attrmap(RelationGetNumberOfAttributes(table));
	int			attnum = 0;
	ListCell   *lc;

	/* A copy has no dropped columns. */
	for (int i = 0; i < map->maplen; i++)
	{
		if (!TupleDescAttr(RelationGetDescr(table), i)->attisdropped)
			map->attnums[i] = ++attnum;
	}
	foreach(lc, RelationGetIndexList(table))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		IndexStmt  *stmt = generateClonedIndexStmt(clone->name, index, map, NULL);

		index_close(index, AccessShareLock);
		run_utility((Node *) stmt, "");
	}
	relation_close(table, AccessShareLock);
}

/*
 * The copy of a table, made if there is none yet.
 */
static Clone *
find_or_make_clone(PgmProbe *probe, Oid relid)
{
	MemoryContext caller;
	Clone	   *clone;
	PgmOwnerRights before;
	ListCell   *lc;

	foreach(lc, probe->clones)
	{
		clone = (Clone *) lfirst(lc);
		if (clone->original == relid)
			return clone;
	}

	caller = MemoryContextSwitchTo(probe->context);
	clone = palloc(sizeof(Clone));
	clone->original = relid;
	clone->owner = pgm_relation_owner(relid);
	clone->name = makeRangeVar("pg_temp", psprintf("pgmigrate_probe_%u", relid), -1);
	MemoryContextSwitchTo(caller);

	/* Temporary tables cannot be made in a restricted operation. */
	act_as(&before, clone->owner, SECURITY_LOCAL_USERID_CHANGE);
	run_sql(psprintf("CREATE TEMPORARY TABLE %s (LIKE %s)",
					 quote_identifier(clone->name->relname),
					 pgm_relation_name(relid)));
	pgm_probe_leave_owner(&before);
	clone->relid = RangeVarGetRelid(clone->name, NoLock, false);

	pgm_probe_enter_owner(&before, clone->owner);
	copy_checks(clone);
	copy_indexes(clone);
	pgm_probe_leave_owner(&before);

	MemoryContextSwitchTo(probe->context);
	probe->clones = lappend(probe->clones, clone);
	MemoryContextSwitchTo(caller);
	return clone;
}

/*
 * Can only the server judge what a command does to the table's rows?  The others
 * are known to do nothing to them, or are judged without asking; many of these
 * are about objects that the copy has not got.
 */
static bool
needs_server(const Clone *clone, const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddColumn:
			return !pgm_effects_makes_sequence((ColumnDef *) cmd->def);
		case AT_AddConstraint:
			return ((Constraint *) cmd->def)->contype == CONSTR_CHECK;
		case AT_ValidateConstraint:
		case AT_DropConstraint:
			/* a check is there, and proves something or no longer does */
			return OidIsValid(get_relation_constraint_oid(clone->relid, cmd->name, true));
		case AT_ColumnDefault:
		case AT_DropColumn:
		case AT_AlterColumnType:
		case AT_SetNotNull:
		case AT_DropNotNull:
		case AT_SetAccessMethod:
			return true;
		default:
			return pgm_is_set_expression(cmd->subtype) ||
				pgm_is_not_null_constraint(cmd);
	}
}

/*
 * Take the table's name off the columns in an expression: the copy has another
 * one.
 */
static bool
unqualify(Node *node, void *table)
{
	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
	{
		ColumnRef  *ref = (ColumnRef *) node;
		int			length = list_length(ref->fields);
		Node	   *before = length < 2 ? NULL : (Node *) list_nth(ref->fields, length - 2);

		if (before != NULL && IsA(before, String) && strcmp(strVal(before), (char *) table) == 0)
			ref->fields = list_make1(llast(ref->fields));
		return false;
	}
	return raw_expression_tree_walker(node, unqualify, table);
}

/*
 * Such commands of an ALTER TABLE, for the copy.  Foreign keys of new columns are
 * taken off: they would lock other tables.
 */
static AlterTableStmt *
adapt_statement(const AlterTableStmt *original, const Clone *clone)
{
	AlterTableStmt *stmt = copyObject(unconstify(AlterTableStmt *, original));
	List	   *cmds = NIL;
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (!needs_server(clone, cmd))
			continue;
		if (cmd->subtype == AT_AlterColumnType)
			(void) unqualify(((ColumnDef *) cmd->def)->raw_default, original->relation->relname);
		if (cmd->subtype == AT_AddColumn)
		{
			ColumnDef  *column = (ColumnDef *) cmd->def;
			ListCell   *ld;

			foreach(ld, column->constraints)
			{
				if (lfirst_node(Constraint, ld)->contype == CONSTR_FOREIGN)
					column->constraints = foreach_delete_current(column->constraints, ld);
			}
		}
		cmds = lappend(cmds, cmd);
	}
	stmt->cmds = cmds;
	stmt->relation = copyObject(clone->name);
	return stmt;
}

static Oid
relfilenode_of(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			result = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_class) GETSTRUCT(tuple))->relfilenode;
		ReleaseSysCache(tuple);
	}
	return result;
}

static int64
scans_of(Oid relid)
{
	PgStat_TableStatus *entry = find_tabstat_entry(relid);

	return entry == NULL ? 0 : pgm_tabstat_scans(entry);
}

static void
try_statement(void *arg)
{
	Trial	   *trial = (Trial *) arg;
	AlterTableStmt *stmt = (AlterTableStmt *) trial->statement->raw->stmt;
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, false);
	const bool	keep_settings = false;
	int			guc_level = NewGUCNestLevel();
	Clone	   *clone;
	PgmOwnerRights before;
	Oid			relfilenode;
	int64		scans;

	(void) set_config_option("track_counts", "on", PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("client_min_messages", "error", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	SPI_connect();
	clone = find_or_make_clone(trial->probe, relid);
	relfilenode = relfilenode_of(clone->relid);
	scans = scans_of(clone->relid);

	stmt = adapt_statement(stmt, clone);
	pgm_probe_enter_owner(&before, clone->owner);
	if (stmt->cmds != NIL)
		run_utility((Node *) stmt, trial->statement->source);
	pgm_probe_leave_owner(&before);

	trial->result.known = true;
	trial->result.rewrites = relfilenode_of(clone->relid) != relfilenode;
	trial->result.scans = scans_of(clone->relid) != scans;
	SPI_finish();
	AtEOXact_GUC(keep_settings, guc_level);
}

/*
 * A probe for the statements of one script on tables of one owner, to be used
 * inside a subtransaction that is rolled back afterwards.
 */
PgmProbe *
pgm_probe_create(void)
{
	PgmProbe   *probe = palloc0(sizeof(PgmProbe));

	probe->context = CurrentMemoryContext;
	return probe;
}

/*
 * Does an ALTER TABLE of an ordinary table rewrite or scan it?  Unknown if the
 * server does not tell, because the statement fails, say.
 */
PgmProbeResult
pgm_probe_statement(PgmProbe *probe, const PgmStatement *statement)
{
	Trial		trial = {probe, statement};
	const bool	keep = true;
	List	   *clones = list_copy(probe->clones);
	ErrorData  *error = pgm_subxact_run(try_statement, &trial, keep);

	if (error != NULL)
	{
		if (pgm_subxact_must_stop(error))
			ReThrowError(error);
		/* A copy made in vain is gone. */
		probe->clones = clones;
		trial.result.known = false;
	}
	return trial.result;
}
