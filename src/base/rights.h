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

extern bool pgm_rights_sees_all(void);
extern bool pgm_rights_has_role(const char *role);
extern bool pgm_rights_trusts(const char *author);
extern bool pgm_rights_must_confine(const char *author);
extern void pgm_rights_check_author(const char *migration, const char *author);

#endif							/* PGM_RIGHTS_H */
