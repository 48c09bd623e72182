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
 * May code of this author run as the current user?  It may if the author could
 * do the same without us: as that user itself, a member of it, a superuser, or
 * the owner of the extension.
 */
bool
pgm_rights_trusts(const char *author)
{
	Oid			authorid = get_role_oid(author, true);

	return OidIsValid(authorid) &&
		(has_privs_of_role(authorid, GetUserId()) || authorid == pgm_extension_owner());
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
	user = GetUserNameFromId(GetUserId(), false);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to run migration \"%s\" as role \"%s\"", migration, user),
			 errdetail("It was registered by role \"%s\", which has not the rights of role \"%s\".",
					   author, user),
			 errhint("Review the script and register it as role \"%s\", or run it as a role of which \"%s\" is a member.",
					 user, author)));
}
