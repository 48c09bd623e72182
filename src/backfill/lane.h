/*-------------------------------------------------------------------------
 *
 * lane.h
 *	  A lane at work, for the files of this room.
 *
 * IDENTIFICATION
 *	  src/backfill/lane.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_LANE_H
#define PGM_LANE_H

#include "backfill/backfill.h"

/* Spans that are worked on in turn; see pages.c. */
#define PGM_SPANS	16

/* Rows that are changed before we look whether somebody waits for us. */
#define PGM_SLICE_ROWS	512

/* Batches for which a lane stays careful, or leaves locked rows out. */
#define PGM_CAREFUL_BATCHES		20
#define PGM_SKIP_LOCKED_BATCHES	20

/* Where a lane is in a piece that is a range of pages. */
typedef struct PgmPages
{
	PgmSpan    *spans[PGM_SPANS];
	int			turn;			/* which of them is next */
	int			round;			/* number of the batch */
	BlockNumber next;			/* where the next span begins */
	double		stuck_ms;		/* waited since any page got room */
	int			plain_spans;	/* to be done without packing */
	int			patience;		/* how many of them the last time */
} PgmPages;

/* How well new versions stay on their pages. */
typedef struct PgmPacking
{
	bool		possible;
	int			slack;			/* bytes that rows need beyond what is
								 * foreseen */
	int64		foreseen;		/* rows that should have stayed, since the
								 * last look */
	int64		stayed;
} PgmPacking;

/* Pages with rows that were moved; see clean.c. */
#define PGM_CLEAN_RANGES	1024

typedef struct PgmClean
{
	int64		moved;			/* rows since the last time */
	int			count;
	struct
	{
		BlockNumber first;
		BlockNumber end;
	}			ranges[PGM_CLEAN_RANGES];
} PgmClean;

/* What one batch did. */
typedef struct PgmBatch
{
	int			chosen;			/* rows that were to be changed */
	int			changed;
	int			again;			/* among them, those that are to be done still */
	int			bad;
	bool		waiting;		/* were there rows that could not stay yet? */
	bool		gained;
	bool		skipped;		/* was a row not found at its place any more? */
} PgmBatch;

struct PgmLane
{
	MemoryContext cxt;			/* of all that follows */
	MemoryContext job_cxt;
	MemoryContext leaf_cxt;
	MemoryContext piece_cxt;
	MemoryContext batch_cxt;

	int64		job_id;
	int			lane;
	PgmJob	   *job;			/* as of job->version */
	PgmLaneRow	row;
	bool		row_loaded;
	bool		one_by_one;		/* forgets all but its row after each batch */
	bool		at_once;		/* checks constraints at each statement */
	bool		runs_paused;	/* also a job that is paused */

	/* What belongs to the leaf of the piece; leaf is 0 if nothing is set up. */
	int			leaf;
	Oid			leaf_relid;
	char	   *leaf_name;		/* when the statements were made */
	Oid			leaf_file;		/* its storage when the piece was begun */
	PgmShape   *shape;
	PgmStatement *candidates[PGM_CANDIDATES_CAREFUL + 1];
	PgmStatement *change;
	PgmStatement *change_unlocked;
	PgmStatement *describe;
	PgmStatement *range[2];		/* key ranges: with both ends, open */
	PgmStatement *keys[2];
	PgmStatement *nth[2];
	PgmStatement *one;			/* the row with a key */
	List	   *primary_key;
	PgmPacking	packing;
	int64		leaf_rows;		/* about how many it has */
	PgmClean	clean;

	/* What belongs to the piece. */
	bool		piece_begun;
	List	   *bad_rows;
	PgmPages	pages;
	bool		locked;			/* were rows left out because others have
								 * locked them? */
	bool		piece_ended;	/* it is done and not recorded as such yet */

	/* How to go on. */
	PgmPace		pace;
	bool		brief;			/* batches are to be short */
	int			careful;		/* batches that look for bad rows */
	int			skip_locked;	/* batches that leave locked rows out */
	PgmBatch	batch;
	bool		in_batch;		/* is the step one? */
	PgmCounters pending;		/* time lost, to be counted with the next
								 * batch */
	bool		pending_saved;
	int64		wal_bytes;		/* of the last batch */
	bool		too_many_bad;	/* more rows were put aside than allowed */
	int64		rate_rows;		/* since rate_since */
	TimestampTz rate_since;
};

/* piece.c */
typedef enum PgmClaim
{
	PGM_CLAIM_PIECE,
	PGM_CLAIM_NONE,				/* others have the rest */
	PGM_CLAIM_ALL_DONE
} PgmClaim;

extern PgmClaim pgm_piece_claim(PgmLane *lane);
extern bool pgm_piece_finish(PgmLane *lane);
extern void pgm_piece_insert_leaf(const PgmJob *job, int number, Oid relid);

/* leaf.c */
extern bool pgm_leaf_belongs(const PgmJob *job, Relation rel);
extern PgmShape *pgm_leaf_verify(const PgmJob *job, Oid relid);
extern bool pgm_leaf_open(PgmLane *lane, const PgmLeaf *leaf);
extern void pgm_leaf_close(PgmLane *lane);
extern void pgm_leaf_piece_end(PgmLane *lane);

/* pages.c */
extern void pgm_pages_begin(PgmLane *lane);
extern bool pgm_pages_batch(PgmLane *lane, Relation rel);

/* clean.c */
extern void pgm_clean_note(PgmLane *lane, BlockNumber first, BlockNumber end);

/* key.c */
extern bool pgm_key_batch(PgmLane *lane, Relation rel);
extern List *pgm_key_last(Oid leaf, List *key);
extern List *pgm_key_nth(PgmLane *lane, List *from, List *to, int64 n);

/* change.c */
extern int	pgm_change_rows(PgmLane *lane, ItemPointer tids, int count);
extern int	pgm_change_range(PgmLane *lane, List *from, List *to);
extern int	pgm_change_key(PgmLane *lane, List *key);
extern bool pgm_change_is_waited_for(void);

#endif							/* PGM_LANE_H */
