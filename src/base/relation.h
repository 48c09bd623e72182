/*-------------------------------------------------------------------------
 *
 * relation.h
 *	  What a relation is called, whose it is, and how large.
 *
 * IDENTIFICATION
 *	  src/base/relation.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_RELATION_H
#define PGM_RELATION_H

extern Oid	pgm_relation_filled;

extern char *pgm_relation_name(Oid relid);
extern void pgm_relation_check_owner(Oid relid);
extern Oid	pgm_relation_owner(Oid relid);
extern int64 pgm_relation_size(Oid relid, bool whole);
extern List *pgm_relation_tree(Oid relid);
extern bool pgm_relation_is_large(Oid relid);

#endif							/* PGM_RELATION_H */
