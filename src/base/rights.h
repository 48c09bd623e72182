/*-------------------------------------------------------------------------
 *
 * rights.h
 *	  Who may see what, and whose code may run as whom.
 *
 * IDENTIFICATION
 *	  src/base/rights.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_RIGHTS_H
#define PGM_RIGHTS_H

/* A role that registered something, and whose code that is. */
typedef struct PgmAuthor
{
	char	   *name;
	Oid			oid;			/* means something in that cluster only */
	int64		cluster;		/* its system identifier */
} PgmAuthor;

extern PgmAuthor pgm_rights_current_author(void);
extern bool pgm_rights_sees_all(void);
extern bool pgm_rights_has_role(const PgmAuthor *author);
extern bool pgm_rights_trusts(const PgmAuthor *author);
extern bool pgm_rights_must_confine(const PgmAuthor *author);
extern void pgm_rights_check_author(const char *migration, const PgmAuthor *author);

#endif							/* PGM_RIGHTS_H */
