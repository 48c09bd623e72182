/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  The only place that knows PostgreSQL's versions.
 *
 * Bodies are written against the newest server; what an older one names or
 * shapes differently is defined here in its terms, one block per version, and
 * goes when that version goes.
 *
 * IDENTIFICATION
 *	  src/base/compat.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_COMPAT_H
#define PGM_COMPAT_H

#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
#include "utils/acl.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000
#error "pgmigrate needs PostgreSQL 15 or later"
#endif

/* 18 took the "run once" flag out of ExecutorRun (3eea7a0c97e). */
#if PG_VERSION_NUM >= 180000
#define pgm_executor_run(desc) ExecutorRun(desc, ForwardScanDirection, 0)
#else
#define pgm_executor_run(desc) ExecutorRun(desc, ForwardScanDirection, 0, true)
#endif

/* 17 made backend IDs into proc numbers (024c5211178). */
#if PG_VERSION_NUM >= 170000
#define pgm_vxid_proc(vxid) \
	((vxid).procNumber == INVALID_PROC_NUMBER ? NULL : ProcNumberGetProc((vxid).procNumber))
#define pgm_proc_lxid(proc) ((proc)->vxid.lxid)
#else
#define pgm_vxid_proc(vxid) \
	((vxid).backendId == InvalidBackendId ? NULL : BackendIdGetProc((vxid).backendId))
#define pgm_proc_lxid(proc) ((proc)->lxid)
#endif

/* 16 merged the ownership checks into one function (afbfc02983f). */
#if PG_VERSION_NUM < 160000
#define pgm_relation_is_owned(relid, roleid) pg_class_ownercheck(relid, roleid)
#else
#define pgm_relation_is_owned(relid, roleid) \
	object_ownercheck(RelationRelationId, relid, roleid)
#endif

#if PG_VERSION_NUM < 160000
#define pgm_database_aclcheck(database, roleid, mode) \
	pg_database_aclcheck(database, roleid, mode)
#else
#define pgm_database_aclcheck(database, roleid, mode) \
	object_aclcheck(DatabaseRelationId, database, roleid, mode)
#endif

/* 16 renamed the counters of a table's statistics (d69d01ba9da). */
#if PG_VERSION_NUM < 160000
#define pgm_tabstat_scans(entry) ((entry)->t_counts.t_numscans)
#else
#define pgm_tabstat_scans(entry) ((entry)->counts.numscans)
#endif

/* 16 tells indexes that do not stand in the way of HOT (19d8e2308bc). */
#if PG_VERSION_NUM < 160000
#define pgm_hot_blocking_attrs	INDEX_ATTR_BITMAP_ALL
#else
#define pgm_hot_blocking_attrs	INDEX_ATTR_BITMAP_HOT_BLOCKING
#endif

/* HOT updates of a relation since its counters were last flushed. */
#if PG_VERSION_NUM < 160000
#define pgm_hot_updates(rel) \
	((rel)->pgstat_info == NULL ? 0 : (rel)->pgstat_info->t_counts.t_tuples_hot_updated)
#else
#define pgm_hot_updates(rel) \
	((rel)->pgstat_info == NULL ? 0 : (rel)->pgstat_info->counts.tuples_hot_updated)
#endif

#define pgm_counts_updates(rel) ((rel)->pgstat_info != NULL)

/* 18 wraps RETURNING to give it options (80feb727c86). */
#if PG_VERSION_NUM >= 180000
#define pgm_update_returns(stmt) ((stmt)->returningClause != NULL)
#else
#define pgm_update_returns(stmt) ((stmt)->returningList != NIL)
#endif

/* 16 can report errors of input softly (1f39a1c0641 and others). */
#if PG_VERSION_NUM >= 160000
#define pgm_parse_type(text, type, typmod) \
	((void) parseTypeString(text, type, typmod, NULL))
#else
#define pgm_parse_type(text, type, typmod) parseTypeString(text, type, typmod, false)
#endif

/* 17 lets a worker connect as a role that may not log in (492217301e5). */
#if PG_VERSION_NUM >= 170000
#define PGM_WORKER_AS_ANY_ROLE	BGWORKER_BYPASS_ROLELOGINCHECK
#else
#define PGM_WORKER_AS_ANY_ROLE	0
#endif

/* 17 brought ALTER COLUMN ... SET EXPRESSION (5d06e99a3cf). */
#if PG_VERSION_NUM >= 170000
#define pgm_is_set_expression(subtype) ((subtype) == AT_SetExpression)
#else
#define pgm_is_set_expression(subtype) false
#endif

/* 18 made NOT NULL a constraint like others (14e87ffa5c5). */
#if PG_VERSION_NUM >= 180000
#define pgm_is_not_null_constraint(cmd) \
	((cmd)->subtype == AT_AddConstraint && ((Constraint *) (cmd)->def)->contype == CONSTR_NOTNULL)
#else
#define pgm_is_not_null_constraint(cmd) false
#endif

/* Older servers have no such constraints in their catalogs, nor a name for them. */
#define PGM_CONSTRAINT_NOT_NULL	'n'

/*
 * 18 can add NOT NULL, and foreign keys of partitioned tables, without looking
 * at the rows (a379061a22a, b663b9436e7); it has constraints that are not
 * enforced, and keys over ranges.
 */
#if PG_VERSION_NUM >= 180000
#define PGM_NOT_NULL_CAN_WAIT		true
#define PGM_PARTITIONED_KEY_CAN_WAIT	true
#define pgm_is_not_enforced(constraint) (!(constraint)->is_enforced)
#define pgm_check_is_enforced(check) ((check)->ccenforced)
#define pgm_is_without_overlaps(constraint) ((constraint)->without_overlaps)
#else
#define PGM_NOT_NULL_CAN_WAIT		false
#define PGM_PARTITIONED_KEY_CAN_WAIT	false
#define pgm_is_not_enforced(constraint) false
#define pgm_check_is_enforced(check) true
#define pgm_is_without_overlaps(constraint) false
#endif

/* 18 calls a partition's foreign key after its parent's, with a number. */
#define PGM_CHILD_KEY_AFTER_PARENT	(PG_VERSION_NUM >= 180000)

/* Where a column is in tuples without nulls, or -1 if that is not known. */
#if PG_VERSION_NUM >= 180000
#define pgm_known_place(desc, i) (TupleDescCompactAttr(desc, i)->attcacheoff)
#else
#define pgm_known_place(desc, i) (TupleDescAttr(desc, i)->attcacheoff)
#endif

/* 17 spells the class of waits for pins of buffers otherwise. */
#if PG_VERSION_NUM >= 170000
#define PGM_WAIT_PIN	PG_WAIT_BUFFERPIN
#else
#define PGM_WAIT_PIN	PG_WAIT_BUFFER_PIN
#endif

/*
 * Start and stop counting what a vacuum costs, so that it naps; 16 has copies of
 * the settings for that (7d71d3dd080).
 */
#if PG_VERSION_NUM >= 160000
#define pgm_vacuum_cost_begin() (VacuumCostBalance = 0, VacuumUpdateCosts())
#else
#define pgm_vacuum_cost_begin() \
	(VacuumCostBalance = 0, VacuumCostActive = VacuumCostDelay > 0)
#endif
#define pgm_vacuum_cost_end() (VacuumCostActive = false)

/* 16 can leave out columns that one side has not got (ad86d159b6a). */
#if PG_VERSION_NUM >= 160000
#define pgm_build_attrmap(in, out) build_attrmap_by_name(in, out, false)
#else
#define pgm_build_attrmap(in, out) build_attrmap_by_name(in, out)
#endif

/* 16 hands index access methods the table as well (61b313e47ee). */
#if PG_VERSION_NUM < 160000
#define pgm_set_heaprel(info, rel) ((void) (rel))
#else
#define pgm_set_heaprel(info, rel) ((info)->heaprel = (rel))
#endif

#if PG_VERSION_NUM >= 180000
#define pgm_portal_run(portal, dest) \
	((void) PortalRun(portal, FETCH_ALL, true, dest, dest, NULL))
#else
#define pgm_portal_run(portal, dest) \
	((void) PortalRun(portal, FETCH_ALL, true, true, dest, dest, NULL))
#endif

#endif							/* PGM_COMPAT_H */
