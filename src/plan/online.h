/*-------------------------------------------------------------------------
 *
 * online.h
 *	  The steps that an online run takes instead of a statement; for the files
 *	  of this room that make them.
 *
 * IDENTIFICATION
 *	  src/plan/online.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_ONLINE_H
#define PGM_ONLINE_H

#include "utils/relcache.h"

#include "base/dependents.h"
#include "plan/plan.h"

/* The text of a statement by its tokens; see pieces.c. */
typedef struct PgmPieces
{
	const char *sql;			/* the statement */
	int			origin;			/* where it begins in the text that the parse
								 * tree's locations are about */
	PgmToken   *tokens;
	int			count;
	List	   *edits;			/* see pgm_pieces_replace() */
} PgmPieces;

/* Some of them: from the first one on, before the second. */
typedef struct PgmSlice
{
	int			from;
	int			to;
} PgmSlice;

/* A backfill. */
typedef struct PgmFill
{
	const char *table;
	const char *assign;			/* NULL: the rows are deleted */
	const char *filter;			/* NULL: all rows */
	const char *name;
	bool		in_order;		/* one row after the other, as they are stored */
	const char *why;			/* NULL: that it goes by batches */
} PgmFill;

/* What a name stands for, and so which others it must not be the same as. */
typedef enum PgmNamed
{
	PGM_NAMED_RELATION,
	PGM_NAMED_CONSTRAINT,
	PGM_NAMED_BOTH				/* a constraint with an index */
} PgmNamed;

/* Names that a statement takes and gives back, qualified, of char *. */
typedef struct PgmNames
{
	List	   *taken;
	List	   *freed;
	List	   *built;			/* indexes before they get their name */
} PgmNames;

/* CREATE INDEX, with what the user wrote after the table. */
typedef struct PgmIndexCreation
{
	const IndexStmt *stmt;
	Oid			relid;
	const char *source;			/* text to which the statement refers */
	bool		trusted;		/* as in pgm_effects_of() */
	List	   *params;			/* columns, included ones too */
	const char *name;
	const char *on;				/* the table */
	const char *rest;
	PgmNames	names;
	List	   *steps;
} PgmIndexCreation;

#define PGM_BUILD_WHY	"built without a lock that writers would wait for"
#define PGM_VALIDATE_WHY	"reads the table beside reading and writing"
#define PGM_ATTACH_WHY	"each partition has its index built by itself"

/* An ALTER TABLE that is being taken apart; see online_table.c. */
typedef struct PgmAlteration
{
	const PgmScript *script;
	AlterTableStmt *stmt;		/* a copy, in which constraints have names */
	int			number;			/* of the statement */
	Bitmapset  *rewriting;		/* numbers, from 1, of the commands that
								 * rewrite the table as they are written, and
								 * of changes of type that read it */
	const char *refusal;		/* why no backfill can fill new columns */
	bool		has_key;		/* by which one could go through the table */
	Oid			relid;
	const char *prefix;			/* ALTER TABLE and the name */
	const PgmPieces *pieces;
	List	   *slices;			/* of PgmSlice *, for each command */
	PgmNames	names;
	List	   *unnamed;		/* Constraint * that the user gave no name */
	List	   *columns;		/* new ones that are taken apart */
	bool		fills;			/* has any of them to be filled? */
	bool		replaces;		/* does it drop constraints with the steps
								 * that add others? */
	List	   *keys;			/* commands that add keys, of char * */
	List	   *not_null;		/* columns that were made so, of char * */
	List	   *steps;
} PgmAlteration;

/* A constraint that is built beside the one that it is to replace. */
typedef struct PgmStandIn
{
	char	   *table;			/* NULL: the one whose column changes */
	char	   *name;
	char	   *definition;
	bool		valid;			/* is it to be validated? */
} PgmStandIn;

/* A column whose type changes; see online_type.c and online_shadow.c. */
typedef struct PgmTypeChange
{
	PgmAlteration *alteration;
	const char *column;
	const ColumnDef *def;		/* type and USING, as they were parsed */
	char	   *type;			/* and as they were written */
	char	   *shadow;			/* name of the column that stands in */
	Oid			user;
	PgmDependents *found;
	bool		drops_default;	/* does the same statement drop it? */
	const char *obstacle;		/* why it cannot be done so, or NULL */

	Oid			type_id;
	int32		type_mod;
	Node	   *expr;			/* of the new values */
	char	   *value;			/* the same as text */
	bool		stable;			/* not immutable */
	Bitmapset  *reads;			/* columns that it reads, as in
								 * pull_varattnos() */
	List	   *sources;		/* their names */
	List	   *indexes;		/* of PgmPlanStep * */
	List	   *not_nulls;		/* of PgmStandIn *, if these are constraints */
	List	   *constraints;	/* of PgmStandIn *, other ones */
} PgmTypeChange;

/* A table that becomes a partition; see online_adopt.c. */
typedef struct PgmAdoption
{
	const PgmScript *script;
	int			number;			/* of the statement */
	bool		trusted;		/* as in pgm_effects_of() */
	Oid			partition;
	List	   *indexes;		/* what it has not got */
	List	   *keys;
	bool		rest;			/* is there more of that, which ATTACH has to
								 * make? */
} PgmAdoption;

/* pieces.c */
extern PgmPieces *pgm_pieces_read(const PgmScript *script, const PgmStatement *statement);
extern bool pgm_pieces_match(const PgmPieces *pieces, int i, const char *word);
extern int	pgm_pieces_find(const PgmPieces *pieces, int from, const char *word);
extern int	pgm_pieces_at(const PgmPieces *pieces, int location);
extern int	pgm_pieces_after_relation(const PgmPieces *pieces, const RangeVar *relation);
extern void pgm_pieces_replace(PgmPieces *pieces, int from, int to, const char *text);
extern void pgm_pieces_cut_names(PgmPieces *pieces, Node *expression, const RangeVar *relation,
								 int keep);
extern int	pgm_pieces_after_call(const PgmPieces *pieces, int from);
extern List *pgm_pieces_split(const PgmPieces *pieces, int from);
extern char *pgm_pieces_text(const PgmPieces *pieces, int from, int to);

/* online.c */
extern void pgm_online_add(List **steps, PgmHold hold, const char *why, char *sql);
extern char *pgm_online_fill_name(const PgmScript *script, int number, const char *column);
extern void pgm_online_add_fill(List **steps, Oid relid, const PgmFill *fill);
extern Oid	pgm_online_table(const RangeVar *relation);
extern List *pgm_online_part(const PgmScript *script, char *sql, int number, bool trusted);
extern bool pgm_online_reads(const PgmScript *script, char *sql, bool trusted);
extern Bitmapset *pgm_online_rewriting(const PgmScript *script, List *steps, bool trusted);

/* online_adopt.c */
extern void pgm_online_find_lacking(PgmAdoption *adoption, Relation parent, Relation partition);
extern void pgm_online_add_lacking(PgmAdoption *adoption, PgmNames *names, List **steps);

/* online_attach.c */
extern List *pgm_online_partitioning(const PgmScript *script, const PgmStatement *statement,
									 bool trusted);

/* online_name.c */
extern char *pgm_online_choose_name(PgmNames *names, Oid relid, const char *addition,
									const char *label, PgmNamed kind);
extern void pgm_online_take_name(PgmNames *names, Oid relid, const char *name);
extern void pgm_online_free_name(PgmNames *names, Oid relid, const char *name);
extern char *pgm_online_index_name(PgmNames *names, Oid relid, List *params);
extern char *pgm_online_child_key_name(PgmNames *names, Oid relid, const char *above,
									   List *columns);
extern char *pgm_online_built_name(PgmNames *names, Oid relid, const char *constraint);
extern char *pgm_online_constraint_name(PgmNames *names, Oid relid, const Constraint *constraint,
										const char *column);
extern void pgm_online_name_all(PgmAlteration *alteration);
extern char *pgm_online_relation(const RangeVar *relation);
extern char *pgm_online_columns(List *names);

/* online_index.c */
extern List *pgm_online_create_index(const PgmScript *script, const PgmStatement *statement,
									 bool trusted);
extern List *pgm_online_drop_index(const PgmStatement *statement);
extern List *pgm_online_reindex(const PgmScript *script, const PgmStatement *statement);
extern List *pgm_online_refresh(const PgmStatement *statement);

/* online_partition.c */
extern void pgm_online_create_partitioned(PgmIndexCreation *creation);

/* online_stay.c */
extern const char *pgm_online_why_it_stays(Node *stmt);

/* online_table.c */
extern List *pgm_online_alter_table(const PgmScript *script, const PgmStatement *statement,
									bool rewrites, bool trusted);

/* online_constraint.c */
extern bool pgm_online_is_not_null(Oid relid, const char *column);
extern void pgm_online_add_command(PgmAlteration *alteration, PgmHold hold, const char *why,
								   const char *command);
extern void pgm_online_set_not_null(PgmAlteration *alteration, const char *column);
extern char *pgm_online_constraint_text(const PgmAlteration *alteration,
										const Constraint *constraint, const PgmSlice *slice);
extern void pgm_online_add_constraint(PgmAlteration *alteration, const Constraint *constraint,
									  const PgmSlice *slice);
extern bool pgm_online_key_can_wait(Oid relid, const Constraint *constraint);
extern void pgm_online_add_column_key(PgmAlteration *alteration, const Constraint *constraint,
									  const char *column, const PgmSlice *slice);
extern bool pgm_online_has_to_be_whole(Node *stmt, Oid relid);
extern void pgm_online_add_key(PgmAlteration *alteration, const Constraint *constraint);

/* online_column.c */
extern bool pgm_online_column_is_there(const PgmAlteration *alteration, const AlterTableCmd *cmd);
extern bool pgm_online_column_has_steps(const PgmAlteration *alteration, const AlterTableCmd *cmd,
										bool computed);
extern char *pgm_online_begin_column(PgmAlteration *alteration, const AlterTableCmd *cmd,
									 const PgmSlice *slice, bool computed);
extern void pgm_online_end_columns(PgmAlteration *alteration);

/* online_type.c */
extern bool pgm_online_changes_type(PgmAlteration *alteration, List *slices, bool trusted);
extern List *pgm_online_change_types(PgmAlteration *alteration, List *slices, bool trusted);

/* online_shadow.c */
extern bool pgm_online_read_change(PgmTypeChange *change);

/* online_rows.c */
extern const char *pgm_online_fill_refusal(Oid relid, const PgmFill *fill, bool trusted);
extern List *pgm_online_change_rows(const PgmScript *script, const PgmStatement *statement,
									bool trusted);

#endif							/* PGM_ONLINE_H */
