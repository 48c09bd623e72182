/*-------------------------------------------------------------------------
 *
 * message.h
 *	  Handing something to a worker that outlives the caller's transaction.
 *
 * IDENTIFICATION
 *	  src/base/message.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_MESSAGE_H
#define PGM_MESSAGE_H

#include "nodes/pg_list.h"

extern bool pgm_message_post(const char *function, const char *type, List *strings);
extern List *pgm_message_receive(void);

#endif							/* PGM_MESSAGE_H */
