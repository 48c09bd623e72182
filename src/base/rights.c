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
 * Roles are recorded by name, since history is dumped and restored elsewhere.
 * A name that no role bears is nobody's.
 *
 * IDENTIFICATION
 *	  src/base/rights.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

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
 * Has the current user the rights of that role?  Then it sees what the role did,
 * and may replace what it registered.  What a role left that is gone belongs to
 * superusers.
 */
bool
pgm_rights_has_role(const char *role)
{
	Oid			roleid = get_role_oid(role, true);

	if (!OidIsValid(roleid))
		return superuser();
	return has_privs_of_role(GetUserId(), roleid);
}

/*
 * Could the author do as that user whatever it likes, without us?
 */
static bool
author_has_rights_of(Oid author, Oid user)
{
	return has_privs_of_role(author, user) || author == pgm_extension_owner();
}

/*
 * May code of this author run as the current user?
 */
bool
pgm_rights_trusts(const char *author)
{
	Oid			authorid = get_role_oid(author, true);

	return OidIsValid(authorid) && author_has_rights_of(authorid, GetUserId());
}

/*
 * Must code of this author, which may run as the current user, be kept from
 * becoming somebody else?  After SET ROLE or SET SESSION AUTHORIZATION, a RESET
 * leads back to a user whose rights the author may not have.
 */
bool
pgm_rights_must_confine(const char *author)
{
	Oid			authorid = get_role_oid(author, false);

	return !author_has_rights_of(authorid, GetSessionUserId()) ||
		!author_has_rights_of(authorid, GetAuthenticatedUserId());
}

/*
 * Throw unless a migration of this author may run as the current user.
 */
void
pgm_rights_check_author(const char *migration, const char *author)
{
	char	   *user;

	if (pgm_rights_trusts(author))
		return;
	if (!OidIsValid(get_role_oid(author, true)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to run migration \"%s\"", migration),
				 errdetail("It was registered by role \"%s\", which does not exist any more.", author),
				 errhint("Review the script and have a superuser register it again.")));
	user = GetUserNameFromId(GetUserId(), false);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to run migration \"%s\" as role \"%s\"", migration, user),
			 errdetail("It was registered by role \"%s\", which has not the rights of role \"%s\".",
					   author, user),
			 errhint("Review the script and register it as role \"%s\", or run it as a role of which \"%s\" is a member.",
					 user, author)));
}
