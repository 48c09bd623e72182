/*-------------------------------------------------------------------------
 *
 * api.h
 *	  What the SQL-callable functions share.
 *
 * IDENTIFICATION
 *	  src/api/api.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_API_H
#define PGM_API_H

/* register.c */
extern const char *pgm_register_script(const char *name, const char *text, const char *checksum,
									   const char *description, const char *source);

#endif							/* PGM_API_H */
