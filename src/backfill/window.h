/*-------------------------------------------------------------------------
 *
 * window.h
 *	  Off-peak windows: the hours in which a backfill may run.
 *
 * IDENTIFICATION
 *	  src/backfill/window.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_WINDOW_H
#define PGM_WINDOW_H

#include "datatype/timestamp.h"
#include "pgtime.h"

/* For the hint of an error about a window. */
#define PGM_WINDOW_EXAMPLE	"22:00-06:00 Europe/Berlin mon-fri; 00:00-24:00 sat,sun"

typedef struct PgmWindow PgmWindow;

extern PgmWindow *pgm_window_parse(const char *rules, pg_tz *fallback_zone, char **problem);
extern char *pgm_window_text(const PgmWindow *w);
extern TimestampTz pgm_window_next(const PgmWindow *w, TimestampTz now);

#endif							/* PGM_WINDOW_H */
