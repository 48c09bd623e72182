/*-------------------------------------------------------------------------
 *
 * extension.h
 *	  The extension's owner, and the lock that all who change migrate.* hold.
 *
 * IDENTIFICATION
 *	  src/base/extension.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_EXTENSION_H
#define PGM_EXTENSION_H

/* What pgm_owner_enter() changed, for pgm_owner_leave() to put back. */
typedef struct PgmOwnerScope
{
	Oid			userid;
	int			sec_context;
	int			guc_level;
} PgmOwnerScope;

extern Oid	pgm_extension_owner(void);
extern int64 pgm_extension_lock(void);
extern bool pgm_extension_share(void);
extern void pgm_extension_require(void);
extern void pgm_extension_set_running(bool value);

extern void pgm_owner_enter(PgmOwnerScope *scope);
extern void pgm_owner_leave(PgmOwnerScope *scope);

#endif							/* PGM_EXTENSION_H */
