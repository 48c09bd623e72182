/*-------------------------------------------------------------------------
 *
 * window.c
 *	  Off-peak windows: the hours in which a backfill may run.
 *
 * A window is a list of rules like "22:00-06:00 Europe/Berlin mon-fri", and is
 * open when one of them is.  A rule opens on each of its days at its first
 * time, and closes at its second, which is on the next day if it is not later
 * than the first; the day is the one on which it opens.  Without a time zone a
 * rule takes the one the caller gives, without days all seven.
 *
 * Times are the ones on the wall, and what they mean is asked of the server, so
 * they are the instants that timestamptz input would make of them.  Where a
 * clock is put forward, a time that it skips is as long after the change as it
 * would have been without it: 02:30 becomes 03:30.  Where a clock is put back,
 * a time that it shows twice is the second one.  So a window may be an hour
 * longer or shorter that day; one that would end before it begins keeps its
 * length instead, and no day goes without its window.
 *
 * A zone like "UTC+3" is refused, since POSIX counts such hours to the west and
 * hardly anybody means that; "<UTC>+3" says that it is meant.  A misspelt day or
 * name with a digit in it would be taken for such a zone too.
 *
 * IDENTIFICATION
 *	  src/backfill/window.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "backfill/window.h"

#define MINUTES_PER_DAY		(24 * 60)
#define DAYS_PER_WEEK		7
#define ALL_DAYS			((1 << DAYS_PER_WEEK) - 1)
#define SHOWN_BYTES			40	/* of a word in a problem */

typedef struct WindowRule
{
	int			start;			/* minutes since midnight */
	int			end;			/* the same; over a day's if past midnight */
	int			days;			/* bit by day, Sunday the lowest */
	pg_tz	   *zone;
} WindowRule;

struct PgmWindow
{
	List	   *rules;			/* of WindowRule * */
};

/* The text that is read, and what is wrong with it. */
typedef struct WindowReader
{
	const char *at;
	char	   *problem;		/* NULL as long as nothing is */
} WindowReader;

/* As j2day() counts them. */
static const char *const day_names[DAYS_PER_WEEK] = {
	"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"
};

static void
skip_space(WindowReader *r)
{
	while (isspace((unsigned char) *r->at))
		r->at++;
}

/*
 * Bytes up to the next blank or one of the given characters.
 */
static int
word_length(const WindowReader *r, const char *ends)
{
	int			n = 0;

	while (r->at[n] != '\0' && !isspace((unsigned char) r->at[n]) &&
		   strchr(ends, r->at[n]) == NULL)
		n++;
	return n;
}

/*
 * Say what is wrong, with the word that is; returns false.  The text has one %s.
 */
static bool
complain(WindowReader *r, const char *text, const char *word, int length)
{
	StringInfoData problem;
	const char *place = strstr(text, "%s");

	initStringInfo(&problem);
	appendBinaryStringInfo(&problem, text, place - text);
	appendStringInfoChar(&problem, '"');
	appendBinaryStringInfo(&problem, word, pg_mbcliplen(word, length, SHOWN_BYTES));
	if (length > SHOWN_BYTES)
		appendStringInfoString(&problem, "...");
	appendStringInfoChar(&problem, '"');
	appendStringInfoString(&problem, place + 2);
	r->problem = problem.data;
	return false;
}

/*
 * One or two digits, a colon, two digits; as minutes since midnight.
 */
static bool
read_time(WindowReader *r, bool may_be_24, int *minutes)
{
	const char *p;
	int			length;
	int			hours = 0;
	int			rest = 0;
	int			digits = 0;

	skip_space(r);
	length = word_length(r, "-,;");
	if (length == 0)
	{
		r->problem = pstrdup("a rule has to begin with two times of day");
		return false;
	}
	p = r->at;
	for (; isdigit((unsigned char) *p) && digits < 2; p++, digits++)
		hours = hours * 10 + (*p - '0');
	if (digits == 0 || *p != ':' ||
		!isdigit((unsigned char) p[1]) || !isdigit((unsigned char) p[2]) ||
		p + 3 != r->at + length)
		return complain(r, "%s is not a time of day", r->at, length);
	rest = (p[1] - '0') * 10 + (p[2] - '0');

	*minutes = hours * 60 + rest;
	if (rest > 59 || *minutes > MINUTES_PER_DAY || (*minutes == MINUTES_PER_DAY && !may_be_24))
		return complain(r, "%s is not a time of day", r->at, length);
	r->at += length;
	return true;
}

static bool
read_times(WindowReader *r, WindowRule *rule)
{
	const bool	may_be_24 = true;
	const char *first;
	const char *after;

	skip_space(r);
	first = r->at;
	if (!read_time(r, !may_be_24, &rule->start))
		return false;
	after = r->at;
	skip_space(r);
	if (*r->at != '-')
		return complain(r, "%s is not followed by \"-\" and the time at which the window closes",
						first, after - first);
	r->at++;
	skip_space(r);
	if (*r->at == '\0' || *r->at == ';')
		return complain(r, "%s is not followed by the time at which the window closes",
						first, after - first);
	if (!read_time(r, may_be_24, &rule->end))
		return false;
	if (rule->end <= rule->start)
		rule->end += MINUTES_PER_DAY;
	return true;
}

/*
 * The day that a word names, by its first three letters or all of them, or -1.
 */
static int
find_day(const char *word, int length)
{
	for (int day = 0; day < DAYS_PER_WEEK; day++)
	{
		if ((length == 3 || length == strlen(day_names[day])) &&
			pg_strncasecmp(word, day_names[day], length) == 0)
			return day;
	}
	return -1;
}

/*
 * Does a list of days stand here?
 */
static bool
at_days(const WindowReader *r)
{
	return find_day(r->at, word_length(r, "-,;")) >= 0;
}

static bool
read_day(WindowReader *r, int *day)
{
	int			length;

	skip_space(r);
	length = word_length(r, "-,;");
	if (length == 0)
	{
		r->problem = pstrdup("a day is missing in the list of days");
		return false;
	}
	*day = find_day(r->at, length);
	if (*day < 0)
		return complain(r, "%s is not a day of the week", r->at, length);
	r->at += length;
	skip_space(r);
	return true;
}

/*
 * A comma list of days and of ranges of them.
 */
static bool
read_days(WindowReader *r, WindowRule *rule)
{
	for (;;)
	{
		int			first;
		int			last;

		if (!read_day(r, &first))
			return false;
		last = first;
		if (*r->at == '-')
		{
			r->at++;
			if (!read_day(r, &last))
				return false;
		}
		for (int day = first; day != last; day = (day + 1) % DAYS_PER_WEEK)
			rule->days |= 1 << day;
		rule->days |= 1 << last;
		if (*r->at != ',')
			return true;
		r->at++;
	}
}

/*
 * Would the server take the name for hours and minutes in POSIX's way?  With a
 * slash it is the name of a file; in angle brackets it is said on purpose.
 */
static bool
is_posix(const char *name)
{
	return name[0] != '<' && strchr(name, '/') == NULL && strpbrk(name, "0123456789") != NULL;
}

/*
 * Has the server a file for a zone?  If not, it took what it did not know, up to
 * the first digit, for the abbreviation, which otherwise never has a slash.
 */
static bool
has_file(pg_tz *zone)
{
	const Timestamp any_time = 0;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	const char *abbreviation = NULL;

	return timestamp2tm(any_time, &offset, &tm, &fsec, &abbreviation, zone) == 0 &&
		(abbreviation == NULL || strchr(abbreviation, '/') == NULL);
}

static bool
read_zone(WindowReader *r, WindowRule *rule)
{
	int			length = word_length(r, ";");
	char	   *name = pnstrdup(r->at, length);

	if (is_posix(name))
		return complain(r, "%s is not the name of a time zone, like Europe/Berlin",
						r->at, length);
	rule->zone = pg_tzset(name);
	if (rule->zone == NULL || !has_file(rule->zone))
		return complain(r, "%s is neither a time zone nor a day of the week", r->at, length);
	if (!pg_tz_acceptable(rule->zone))
		return complain(r, "time zone %s uses leap seconds", r->at, length);
	r->at += length;
	return true;
}

static WindowRule *
read_rule(WindowReader *r, pg_tz *fallback_zone)
{
	WindowRule *rule = palloc0(sizeof(WindowRule));

	if (!read_times(r, rule))
		return NULL;
	for (;;)
	{
		const char *before;
		bool		days;
		bool		ok;

		skip_space(r);
		if (*r->at == '\0' || *r->at == ';')
			break;
		before = r->at;
		days = at_days(r);
		if (days ? rule->days != 0 : rule->zone != NULL)
		{
			complain(r, "%s is one too many: a rule has one time zone and one list of days",
					 before, word_length(r, ";"));
			return NULL;
		}
		if (days)
			ok = read_days(r, rule);
		else
			ok = read_zone(r, rule);
		if (!ok)
			return NULL;
	}
	if (rule->days == 0)
		rule->days = ALL_DAYS;
	if (rule->zone == NULL)
		rule->zone = fallback_zone;
	return rule;
}

/*
 * Read a window.  Returns NULL if it is none, and then sets *problem to what is
 * wrong, a phrase in lower case; both live in the current context.  The zone is
 * for rules that name none.  A window that can be read opens within 8 days from
 * any time.
 */
PgmWindow *
pgm_window_parse(const char *rules, pg_tz *fallback_zone, char **problem)
{
	PgmWindow  *w = palloc0(sizeof(PgmWindow));
	WindowReader r = {rules, NULL};

	*problem = NULL;
	for (;;)
	{
		WindowRule *rule;

		skip_space(&r);
		if (*r.at == ';')
		{
			r.at++;
			continue;
		}
		if (*r.at == '\0')
			break;
		rule = read_rule(&r, fallback_zone);
		if (rule == NULL)
		{
			*problem = r.problem;
			return NULL;
		}
		w->rules = lappend(w->rules, rule);
	}
	if (w->rules == NIL)
	{
		*problem = pstrdup("there is no rule");
		return NULL;
	}
	return w;
}

static void
append_zone(StringInfo text, pg_tz *zone)
{
	const char *name = pg_get_timezone_name(zone);
	int			letters = 0;

	if (!is_posix(name))
	{
		appendStringInfoString(text, name);
		return;
	}
	while (isalpha((unsigned char) name[letters]))
		letters++;
	appendStringInfo(text, "<%.*s>%s", letters, name, name + letters);
}

/*
 * A window in full, to be kept: what it means depends on no setting any more.
 */
char *
pgm_window_text(const PgmWindow *w)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, w->rules)
	{
		const WindowRule *rule = (const WindowRule *) lfirst(lc);
		int			end = rule->end;
		const char *separator = " ";

		if (end > MINUTES_PER_DAY)
			end -= MINUTES_PER_DAY;
		appendStringInfo(&text, "%s%02d:%02d-%02d:%02d ", text.len > 0 ? "; " : "",
						 rule->start / 60, rule->start % 60, end / 60, end % 60);
		append_zone(&text, rule->zone);
		for (int i = 1; i <= DAYS_PER_WEEK && rule->days != ALL_DAYS; i++)
		{
			int			day = i % DAYS_PER_WEEK;	/* Monday first */

			if ((rule->days & (1 << day)) == 0)
				continue;
			appendStringInfo(&text, "%s%.3s", separator, day_names[day]);
			separator = ",";
		}
	}
	return text.data;
}

/*
 * The instant at which a clock shows so many minutes after the midnight in which
 * a day begins.  False if there is none in the range of timestamps.
 */
static bool
wall_to_instant(int julian, int minutes, pg_tz *zone, TimestampTz *result)
{
	struct pg_tm tm = {0};
	int			offset;

	julian += minutes / MINUTES_PER_DAY;
	minutes %= MINUTES_PER_DAY;
	j2date(julian, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
	tm.tm_hour = minutes / 60;
	tm.tm_min = minutes % 60;
	offset = DetermineTimeZoneOffset(&tm, zone);
	return tm2timestamp(&tm, 0, &offset, result) == 0;
}

/*
 * Where a rule's next opening begins, or now if it is open.  There is none only
 * where the calendar ends.
 */
static TimestampTz
next_of_rule(const WindowRule *rule, TimestampTz now)
{
	const int	days_back = 2;	/* that a window reaches */
	const int	days_ahead = DAYS_PER_WEEK + 1;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	int			today;

	if (timestamp2tm(now, &offset, &tm, &fsec, NULL, rule->zone) != 0)
		return DT_NOEND;
	today = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
	for (int julian = Max(today - days_back, 0); julian <= today + days_ahead; julian++)
	{
		TimestampTz start;
		TimestampTz end;

		if ((rule->days & (1 << j2day(julian))) == 0 ||
			!wall_to_instant(julian, rule->start, rule->zone, &start) ||
			!wall_to_instant(julian, rule->end, rule->zone, &end))
			continue;
		if (end <= start)
			end = start + (rule->end - rule->start) * USECS_PER_MINUTE;
		if (now < end)
			return Max(start, now);
	}
	return DT_NOEND;
}

/*
 * Now if the window is open, else when it opens next; infinity where the
 * calendar ends.  A time that is not finite is returned as it is.
 */
TimestampTz
pgm_window_next(const PgmWindow *w, TimestampTz now)
{
	TimestampTz next = DT_NOEND;
	ListCell   *lc;

	if (TIMESTAMP_NOT_FINITE(now))
		return now;
	foreach(lc, w->rules)
		next = Min(next, next_of_rule((const WindowRule *) lfirst(lc), now));
	return next;
}
