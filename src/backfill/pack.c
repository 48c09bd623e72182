/*-------------------------------------------------------------------------
 *
 * pack.c
 *	  How many rows of a page to update now, so that most stay on it.
 *
 * An UPDATE whose new version fits on the page of the old one needs no new index
 * entry and no new page.  A full page has no room for that, but gets some when
 * old versions can be pruned.  So a page is visited several times: the rows that
 * fit now are updated, and a few that do not are moved to other pages, which
 * makes room for those that stay.  The rows that have to go in the end are as
 * many as the page lacks space for all new versions; moving more would be in
 * vain, moving less would leave no room.  They go in small shares, since each of
 * them needs a new entry in every index, and an index page that gets a few at a
 * time finds room for them by deleting those of the rows moved before.
 *
 * Pure.
 *
 * IDENTIFICATION
 *	  src/backfill/pack.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "backfill/backfill.h"

/* The share of a page's rows that may be moved in one visit. */
#define MOVE_SHARE	12

/*
 * How many of the first rows to update: those that fit into the free space, and
 * after them those to be moved.  first_count is how many rows there were to do
 * when the page was visited for the first time.
 */
PgmPackChoice
pgm_pack_choose(const PgmPackRow *rows, int count, int free_space, int first_count)
{
	PgmPackChoice choice = {0, 0};
	int			left = free_space;
	int			freed = 0;
	int			lack = -free_space;
	int			limit = Max(1, first_count / MOVE_SHARE);

	for (int i = 0; i < count; i++)
		lack += rows[i].new_size - rows[i].old_size;
	/* room for one more, or the last rows of the page would need a visit each */
	if (count > 0)
		lack += rows[0].new_size;

	while (choice.fitting < count && rows[choice.fitting].new_size <= left)
		left -= rows[choice.fitting++].new_size;

	for (int i = choice.fitting; i < count; i++)
	{
		bool		needed = lack > 0 && choice.moving < limit;

		/* Moving too few to make room for a single row would be in vain. */
		if (!needed && (choice.fitting > 0 || left + freed >= rows[i].new_size))
			break;
		choice.moving++;
		freed += rows[i].old_size;
		lack -= rows[i].new_size;
	}
	return choice;
}
