/*-------------------------------------------------------------------------
 *
 * online_attach.c
 *	  ATTACH and DETACH PARTITION, while the application goes on.
 *
 * To attach a table the server reads it, and the default partition, under locks
 * that stop them, unless constraints prove that every row is where it belongs.  So
 * they get such constraints first, found to hold beside reading and writing, and
 * lose them after.  What the constraint is, the server says: it is asked as the
 * owner of the table, as probe.c does.
 *
 * The indexes and foreign keys of the parent come before too; see online_adopt.c.
 *
 * Detached concurrently, a partition keeps its bounds as a constraint, which goes
 * then too, since it would not be there otherwise.  As long as it is there, the
 * partition can be attached again without reading it.
 *
 * IDENTIFICATION
 *	  src/plan/online_attach.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "commands/tablecmds.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_node.h"
#include "parser/parse_utilcmd.h"
#include "partitioning/partbounds.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/relation.h"
#include "base/subxact.h"
#include "plan/online.h"

#define PROVEN_WHY	"proves to the server that the rows belong there"

/* A statement, and what is found out about it for pgm_subxact_run(). */
typedef struct Partitioning
{
	const PgmStatement *statement;
	const PartitionCmd *cmd;
	Oid			parent;
	Oid			partition;
	Oid			fallback;		/* default partition of the parent, or none */
	char	   *bound;			/* what rows of the partition are like; NULL
								 * if that needs no proof */
	char	   *remainder;		/* the same of the default partition */
	PgmAdoption adoption;		/* indexes and foreign keys of the parent */
	char	   *column;			/* the only one that the bounds are about */
	const char *prefix;
	PgmNames	names;
	List	   *steps;
} Partitioning;

/*
 * A condition on rows of the parent as text, or NULL if the constraints of a
 * partition imply it.
 */
static char *
condition_text(Relation parent, Relation partition, List *condition)
{
	const bool	force_prefix = false;
	const bool	show_implicit = false;
	List	   *context = deparse_context_for(RelationGetRelationName(parent),
											  RelationGetRelid(parent));

	if (condition == NIL ||
		PartConstraintImpliedByRelConstraint(partition,
											 map_partition_varattnos(copyObject(condition), 1,
																	 partition, parent)))
		return NULL;
	return deparse_expression((Node *) make_ands_explicit(condition), context, force_prefix,
							  show_implicit);
}

static void
find_bounds(Partitioning *p, Relation parent, Relation partition)
{
	ParseState *pstate = make_parsestate(NULL);
	PartitionBoundSpec *spec;
	List	   *bound;
	List	   *all;

	pstate->p_sourcetext = p->statement->source;
	spec = transformPartitionBound(pstate, parent, p->cmd->bound);
	bound = get_qual_from_partbound(parent, spec);
	all = list_concat_copy(bound, RelationGetPartitionQual(parent));
	all = (List *) eval_const_expressions(NULL, (Node *) all);
	p->bound = condition_text(parent, partition, all);
	pgm_online_find_lacking(&p->adoption, parent, partition);
	if (OidIsValid(p->fallback) && get_rel_relkind(p->fallback) != RELKIND_FOREIGN_TABLE)
	{
		Relation	fallback = table_open(p->fallback, AccessShareLock);

		p->remainder = condition_text(parent, fallback, get_proposed_default_constraint(bound));
		table_close(fallback, NoLock);
	}
}

static void
ask_about_attach(void *arg)
{
	Partitioning *p = (Partitioning *) arg;
	Relation	parent = table_open(p->parent, AccessShareLock);
	Relation	partition = table_open(p->partition, AccessShareLock);
	PgmOwnerRights rights;

	pgm_probe_enter_owner(&rights, parent->rd_rel->relowner);
	find_bounds(p, parent, partition);
	pgm_probe_leave_owner(&rights);
	table_close(partition, NoLock);
	table_close(parent, NoLock);
}

/*
 * Before a partition is detached: the constraint that it will keep.
 */
static void
ask_about_detach(void *arg)
{
	Partitioning *p = (Partitioning *) arg;
	Relation	partition = table_open(p->partition, AccessShareLock);
	PgmOwnerRights rights;
	List	   *bound;
	List	   *vars;

	pgm_probe_enter_owner(&rights, partition->rd_rel->relowner);
	bound = RelationGetPartitionQual(partition);
	if (bound != NIL && !PartConstraintImpliedByRelConstraint(partition, bound))
	{
		p->bound = "";
		vars = list_union(NIL, pull_var_clause((Node *) bound, 0));
		if (list_length(vars) == 1)
			p->column = get_attname(p->partition, linitial_node(Var, vars)->varattno, true);
	}
	pgm_probe_leave_owner(&rights);
	table_close(partition, NoLock);
}

/*
 * Give a table a constraint.  Returns its name.
 */
static char *
prove(Partitioning *p, Oid relid, const char *condition)
{
	char	   *table = pgm_relation_name(relid);
	char	   *name = pgm_online_choose_name(&p->names, relid, "partition", "check",
											  PGM_NAMED_CONSTRAINT);

	pgm_online_add(&p->steps, PGM_HOLD_BRIEF, PROVEN_WHY,
				   psprintf("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s) NOT VALID", table,
							quote_identifier(name), condition));
	pgm_online_add(&p->steps, PGM_HOLD_SCAN, PGM_VALIDATE_WHY,
				   psprintf("ALTER TABLE %s VALIDATE CONSTRAINT %s", table, quote_identifier(name)));
	return name;
}

static void
drop_proof(Partitioning *p, Oid relid, const char *name, const char *if_exists)
{
	pgm_online_add(&p->steps, PGM_HOLD_BRIEF, "has done its part",
				   psprintf("ALTER TABLE %s DROP CONSTRAINT %s%s", pgm_relation_name(relid),
							if_exists, quote_identifier(name)));
}

/* What ATTACH itself has to be done for. */
static const char *
why_attach(const Partitioning *p)
{
	if (p->adoption.rest)
		return "there is no other form: the table has not all indexes and foreign keys of the parent; add them before";
	if (p->bound != NULL || p->remainder != NULL)
		return "proven by the constraints, so nothing is read";
	return "finds all that it would have to build";
}

static void
attach(Partitioning *p, const PgmPieces *pieces)
{
	char	   *proof = NULL;
	char	   *proof_of_rest = NULL;

	if (p->bound == NULL && p->remainder == NULL && p->adoption.indexes == NIL &&
		p->adoption.keys == NIL)
		return;
	pgm_online_add_lacking(&p->adoption, &p->names, &p->steps);
	if (p->bound != NULL)
		proof = prove(p, p->partition, p->bound);
	if (p->remainder != NULL)
		proof_of_rest = prove(p, p->fallback, p->remainder);
	pgm_online_add(&p->steps, p->adoption.rest ? PGM_HOLD_BUILD : PGM_HOLD_BRIEF, why_attach(p),
				   pgm_pieces_text(pieces, 0, pieces->count));
	((PgmPlanStep *) llast(p->steps))->kept = true;
	if (proof != NULL)
		drop_proof(p, p->partition, proof, "");
	if (proof_of_rest != NULL)
		drop_proof(p, p->fallback, proof_of_rest, "");
}

static void
detach(Partitioning *p, const PgmPieces *pieces)
{
	char	   *kept;

	if (p->cmd->concurrent || OidIsValid(p->fallback))
		return;
	pgm_online_add(&p->steps, PGM_HOLD_WAIT, "waits for who uses the parent, with no one behind it",
				   psprintf("%s CONCURRENTLY", pgm_pieces_text(pieces, 0, pieces->count)));
	((PgmPlanStep *) llast(p->steps))->kept = true;
	if (p->bound == NULL)
		return;
	kept = pgm_online_choose_name(&p->names, p->partition, p->column, "check",
								  PGM_NAMED_CONSTRAINT);
	drop_proof(p, p->partition, kept, "IF EXISTS ");
	/* without it there is no way back that reads nothing */
	((PgmPlanStep *) llast(p->steps))->kept = true;
}

/*
 * The bounds of a partition, as they stand in a statement.
 */
static char *
bound_text(Oid partition)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(partition));
	Datum		value;
	bool		isnull;
	char	   *result = NULL;
	int			guc_level;
	const bool	force_prefix = false;
	const bool	show_implicit = false;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	value = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relpartbound, &isnull);
	if (!isnull)
	{
		guc_level = NewGUCNestLevel();
		pgm_guc_pin_meaning();
		result = deparse_expression(stringToNode(TextDatumGetCString(value)), NIL, force_prefix,
									show_implicit);
		AtEOXact_GUC(true, guc_level);
	}
	ReleaseSysCache(tuple);
	return result;
}

/*
 * The commands that attach a partition again which a statement is about to detach
 * concurrently, and drop what that leaves behind; NULL if that is not known.
 */
char *
pgm_online_attach_again(const AlterTableStmt *stmt)
{
	const AlterTableCmd *cmd = linitial_node(AlterTableCmd, stmt->cmds);
	Partitioning p = {.cmd = (PartitionCmd *) cmd->def,.parent = pgm_online_table(stmt->relation)};
	const bool	keep = false;
	ErrorData  *error;
	char	   *bound;
	char	   *attach;

	p.partition = pgm_online_table(p.cmd->name);
	if (!p.cmd->concurrent || !OidIsValid(p.parent) || !OidIsValid(p.partition) ||
		!pgm_relation_is_owned(p.parent, GetUserId()) ||
		!pgm_relation_is_owned(p.partition, GetUserId()) ||
		(bound = bound_text(p.partition)) == NULL)
		return NULL;
	error = pgm_subxact_run(ask_about_detach, &p, keep);
	if (error != NULL && pgm_subxact_must_stop(error))
		ReThrowError(error);
	if (error != NULL)
		return NULL;
	attach = psprintf("ALTER TABLE %s ATTACH PARTITION %s %s", pgm_relation_name(p.parent),
					  pgm_relation_name(p.partition), bound);
	if (p.bound == NULL)
		return attach;
	return psprintf("%s; ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", attach,
					pgm_relation_name(p.partition),
					quote_identifier(pgm_online_choose_name(&p.names, p.partition, p.column, "check",
															PGM_NAMED_CONSTRAINT)));
}

/*
 * ATTACH or DETACH PARTITION; NIL if the statement is none, or stays
 */
List *
pgm_online_partitioning(const PgmScript *script, const PgmStatement *statement, bool trusted)
{
	const AlterTableStmt *stmt = (AlterTableStmt *) statement->raw->stmt;
	const AlterTableCmd *cmd = linitial_node(AlterTableCmd, stmt->cmds);
	Partitioning p = {.statement = statement,.parent = pgm_online_table(stmt->relation)};
	bool		attaches = cmd->subtype == AT_AttachPartition;
	const bool	keep = false;
	ErrorData  *error;

	if (stmt->objtype != OBJECT_TABLE || (!attaches && cmd->subtype != AT_DetachPartition))
		return NIL;
	p.cmd = (PartitionCmd *) cmd->def;
	p.partition = pgm_online_table(p.cmd->name);
	if (!trusted || !OidIsValid(p.parent) || !OidIsValid(p.partition) ||
		get_rel_relkind(p.parent) != RELKIND_PARTITIONED_TABLE ||
		!pgm_relation_is_owned(p.parent, GetUserId()) ||
		!pgm_relation_is_owned(p.partition, GetUserId()))
		return NIL;
	p.adoption.script = script;
	p.adoption.number = statement->number;
	p.adoption.trusted = trusted;
	p.adoption.partition = p.partition;
	p.fallback = get_default_partition_oid(p.parent);
	error = pgm_subxact_run(attaches ? ask_about_attach : ask_about_detach, &p, keep);
	if (error != NULL && pgm_subxact_must_stop(error))
		ReThrowError(error);
	if (error != NULL)
		return NIL;
	if (attaches)
		attach(&p, pgm_pieces_read(script, statement));
	else
		detach(&p, pgm_pieces_read(script, statement));
	return p.steps;
}
