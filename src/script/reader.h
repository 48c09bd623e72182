/*-------------------------------------------------------------------------
 *
 * reader.h
 *	  State while a script is read, of reader.c and markers.c only.
 *
 * IDENTIFICATION
 *	  src/script/reader.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_READER_H
#define PGM_READER_H

#include "script/script.h"

typedef struct PgmReader
{
	PgmScript  *script;
	int			comment;		/* where the comment at hand begins */
	int			open_part;		/* part that lasts until the next one, or -1 */
	bool		parts_marked;	/* some marker began a part */
	int			first_token;	/* where the first token stands, or -1 */
	bool		mode_marked;
	bool		kind_marked;
	bool		requires_marked;
	bool		conflicts_marked;

	/* For COPY ... FROM STDIN, whose data would follow it. */
	bool		statement_starts;
	bool		in_copy;
	bool		after_from;
	int			depth;
} PgmReader;

extern void pgm_markers_read_comment(PgmReader *reader, int start, int end);

#endif							/* PGM_READER_H */
