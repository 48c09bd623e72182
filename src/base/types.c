/*-------------------------------------------------------------------------
 *
 * types.c
 *	  Spelling of kinds and states.
 *
 * IDENTIFICATION
 *	  src/base/types.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/types.h"

static const char *const kind_names[] = {
	[PGM_KIND_VERSIONED] = "versioned",
	[PGM_KIND_REPEATABLE] = "repeatable",
	[PGM_KIND_SEED] = "seed",
};

static const char *const state_names[] = {
	[PGM_STATE_PENDING] = "pending",
	[PGM_STATE_APPLIED] = "applied",
	[PGM_STATE_ROLLED_BACK] = "rolled_back",
};

static const char *const job_state_names[] = {
	[PGM_JOB_QUEUED] = "queued",
	[PGM_JOB_RUNNING] = "running",
	[PGM_JOB_PAUSED] = "paused",
	[PGM_JOB_SUSPENDED] = "suspended",
	[PGM_JOB_FAILED] = "failed",
	[PGM_JOB_DONE] = "done",
	[PGM_JOB_CANCELLED] = "cancelled",
};

/*
 * Index of a word that one of our own tables holds, which its CHECK
 * constraint keeps to the list.
 */
static int
find_word(const char *const *words, int count, const char *word)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(words[i], word) == 0)
			return i;
	}
	elog(ERROR, "unexpected word in a table of pgmigrate: \"%s\"", word);
	return -1;					/* keep compiler quiet */
}

const char *
pgm_kind_name(PgmKind kind)
{
	return kind_names[kind];
}

PgmKind
pgm_kind_parse(const char *name)
{
	return (PgmKind) find_word(kind_names, lengthof(kind_names), name);
}

const char *
pgm_state_name(PgmState state)
{
	return state_names[state];
}

PgmState
pgm_state_parse(const char *name)
{
	return (PgmState) find_word(state_names, lengthof(state_names), name);
}

const char *
pgm_job_state_name(PgmJobState state)
{
	return job_state_names[state];
}

PgmJobState
pgm_job_state_parse(const char *name)
{
	return (PgmJobState) find_word(job_state_names, lengthof(job_state_names), name);
}
