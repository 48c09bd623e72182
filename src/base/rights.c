/*-------------------------------------------------------------------------
 *
 * rights.c
 *	  Who may see what, and whose code may run as whom.
 *
 * The right to call a function is the server's to check, by its EXECUTE
 * privilege.  What is decided here is what lies behind it: a script runs with
 * the rights of the role that applies it, so it has to come from somebody who
 * has these rights anyway.  Otherwise registering a migration and waiting for
 * the superuser to apply it would be a way to become superuser.
 *
 * An author is recorded by OID, so that who gets the name of a role that was
 * dropped does not get what it registered.  Restored into another cluster, where
 * OIDs mean nothing, authors go by their names.
 *
 * IDENTIFICATION
 *	  src/base/rights.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/extension.h"
#include "base/rights.h"

/*
 * Does the current user see the migrations and runs of everybody?  So does who
 * may read the tables themselves.
 */
bool
pgm_rights_sees_all(void)
{
	Oid			schema = get_namespace_oid("migrate", false);
	Oid			table = get_relname_relid("run", schema);

	return has_privs_of_role(GetUserId(), ROLE_PG_MONITOR) ||
		(OidIsValid(table) && pg_class_aclcheck(table, GetUserId(), ACL_SELECT) == ACLCHECK_OK);
}

/*
 * The current user, as an author.
 */
PgmAuthor
pgm_rights_current_author(void)
{
	PgmAuthor	author;

	author.oid = GetUserId();
	author.name = GetUserNameFromId(author.oid, false);
	author.cluster = (int64) GetSystemIdentifier();
	return author;
}

/*
 * The role that an author is now, or InvalidOid if it is gone.
 */
static Oid
find_role(const PgmAuthor *author)
{
	if (author->cluster != (int64) GetSystemIdentifier())
		return get_role_oid(author->name, true);
	return SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(author->oid)) ?
		author->oid : InvalidOid;
}

/*
 * Has the current user the rights of an author?  Then it sees what the author
 * did, and may replace what it registered.  What an author left that is gone
 * belongs to superusers.
 */
bool
pgm_rights_has_role(const PgmAuthor *author)
{
	Oid			role = find_role(author);

	if (!OidIsValid(role))
		return superuser();
	return has_privs_of_role(GetUserId(), role);
}

/*
 * Could the author do as that user whatever it likes, without us?
 */
static bool
author_has_rights_of(Oid role, Oid user)
{
	return has_privs_of_role(role, user) || role == pgm_extension_owner();
}

/*
 * May code of this author run as the current user?
 */
bool
pgm_rights_trusts(const PgmAuthor *author)
{
	Oid			role = find_role(author);

	return OidIsValid(role) && author_has_rights_of(role, GetUserId());
}

/*
 * Must code of this author, which may run as the current user, be kept from
 * becoming somebody else?  After SET ROLE or SET SESSION AUTHORIZATION, a RESET
 * leads back to a user whose rights the author may not have.
 */
bool
pgm_rights_must_confine(const PgmAuthor *author)
{
	Oid			role = find_role(author);

	return !author_has_rights_of(role, GetSessionUserId()) ||
		!author_has_rights_of(role, GetAuthenticatedUserId());
}

/*
 * Throw unless a migration of this author may run as the current user.
 */
void
pgm_rights_check_author(const char *migration, const PgmAuthor *author)
{
	char	   *user;

	if (pgm_rights_trusts(author))
		return;
	if (!OidIsValid(find_role(author)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to run migration \"%s\"", migration),
				 errdetail("It was registered by role \"%s\", which does not exist any more.", author->name),
				 errhint("Review the script and have a superuser register it again.")));
	user = GetUserNameFromId(GetUserId(), false);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to run migration \"%s\" as role \"%s\"", migration, user),
			 errdetail("It was registered by role \"%s\", which does not have the rights of role \"%s\".",
					   author->name, user),
			 errhint("Review the script and register it as role \"%s\", or run it as a role of which \"%s\" is a member.",
					 user, author->name)));
}
