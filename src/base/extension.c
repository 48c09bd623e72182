/*-------------------------------------------------------------------------
 *
 * extension.c
 *	  The extension's owner, and the lock that all who change migrate.* hold.
 *
 * Whatever changes migrate.* takes one lock first, on the table of migrations,
 * and holds it to the end of its transaction.  That makes runs follow one
 * another, without deadlock among them, and keeps the extension from being
 * dropped under them.  It is an ordinary lock of the transaction: it needs no
 * session, so a transaction-pooling proxy does no harm, and it is gone when the
 * client is.  Plain users cannot take one in conflict with it, since they have no
 * more than SELECT there; autovacuum gives way by itself.
 *
 * Bookkeeping is done as the owner of the extension, with a search_path that
 * leads to nothing a user could have written.
 *
 * IDENTIFICATION
 *	  src/base/extension.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/extension.h"
#include "base/guc.h"
#include "base/lock.h"

/* Does this session run a script at the moment? */
static bool running = false;

/*
 * Tell that a script begins or ends to run, so that it cannot change what the
 * run is about.
 */
void
pgm_extension_set_running(bool value)
{
	running = value;
}

static void
report_not_installed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("extension \"pgmigrate\" is not installed in this database"),
			 errhint("Use CREATE EXTENSION pgmigrate.")));
}

/*
 * The table that stands for all that the extension keeps.
 */
static Oid
migrations_table(void)
{
	Oid			schema = get_namespace_oid("migrate", true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid("migration", schema) : InvalidOid;

	if (!OidIsValid(relid))
		report_not_installed();
	return relid;
}

/*
 * Role that owns the extension, and so its tables.
 */
Oid
pgm_extension_owner(void)
{
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			owner = InvalidOid;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("pgmigrate"));
	rel = table_open(ExtensionRelationId, AccessShareLock);
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		owner = ((Form_pg_extension) GETSTRUCT(tuple))->extowner;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);

	if (!OidIsValid(owner))
		report_not_installed();
	return owner;
}

/*
 * Take the lock that whoever changes migrate.* holds, to the end of the
 * transaction.  Waits as any statement does, under the session's own
 * lock_timeout, but says first for whom, and not with locks that make others
 * wait in turn.  Returns the milliseconds it waited.
 * Throws when a script calls it that is being run.
 */
int64
pgm_extension_lock(void)
{
	int64		waited = 0;

	if (running)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("cannot run or change migrations from within a migration"),
				 errhint("Name another migration in \"-- migrate:requires\" to have it run before.")));

	for (;;)
	{
		Oid			relid = migrations_table();

		if (!ConditionalLockRelationOid(relid, ShareUpdateExclusiveLock))
		{
			TimestampTz start;
			LOCKTAG		tag;
			char	   *blockers;

			SET_LOCKTAG_RELATION(tag, MyDatabaseId, relid);
			blockers = pgm_lock_blockers(&tag, ShareUpdateExclusiveLock);
			if (pgm_lock_holds_strong())
				ereport(ERROR,
						(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
						 errmsg("another session runs or registers migrations"),
						 errdetail_internal("%s", blockers),
						 errhint(PGM_LOCK_HELD_HINT)));
			ereport(NOTICE,
					(errmsg("waiting for another session that runs or registers migrations"),
					 errdetail_internal("%s", blockers)));
			start = GetCurrentTimestamp();
			LockRelationOid(relid, ShareUpdateExclusiveLock);
			waited += TimestampDifferenceMilliseconds(start, GetCurrentTimestamp());
		}

		/* The extension may have been dropped, and created again, meanwhile. */
		if (migrations_table() == relid)
			return waited;
		UnlockRelationOid(relid, ShareUpdateExclusiveLock);
	}
}

/*
 * Keep the extension from being dropped or updated to the end of the
 * transaction.  Returns false if it is not there (any more).
 */
bool
pgm_extension_share(void)
{
	Oid			extension = get_extension_oid("pgmigrate", true);
	Oid			locked = InvalidOid;

	/* it may be dropped, and created again, while we wait for it */
	while (OidIsValid(extension) && extension != locked)
	{
		LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
		locked = extension;
		extension = get_extension_oid("pgmigrate", true);
	}
	return OidIsValid(extension);
}

/*
 * The same, but throw if it is not there.
 */
void
pgm_extension_require(void)
{
	if (!pgm_extension_share())
		report_not_installed();
}

/*
 * From here to pgm_owner_leave(), act as the owner of the extension.  An error
 * in between puts everything back when the transaction or subtransaction ends.
 */
void
pgm_owner_enter(PgmOwnerScope *scope)
{
	Oid			owner = pgm_extension_owner();

	GetUserIdAndSecContext(&scope->userid, &scope->sec_context);
	SetUserIdAndSecContext(owner, scope->sec_context | SECURITY_LOCAL_USERID_CHANGE);
	scope->guc_level = NewGUCNestLevel();
	pgm_guc_pin_search_path();
}

void
pgm_owner_leave(PgmOwnerScope *scope)
{
	AtEOXact_GUC(true, scope->guc_level);
	SetUserIdAndSecContext(scope->userid, scope->sec_context);
}
