/*
 * date.c — times as HTTP writes them, whatever the locale.
 *
 * Design: each form is a pattern, a letter for each digit and for each name; what is no letter of ours stands
 * for itself. What does not match to the byte is no date, and neither is the 31st of February.
 * Limits: the name of the day is not compared with the date.
 */
#include "http.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIRST (-62167219200) /* of the years that have four digits */
#define LAST 253402300799

static const char *const days[] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
	                            "Thursday", "Friday", "Saturday" };
static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

/* w: name of a day, W: in full, b: of a month; D: digit of the day, E: or a space; Y: of the year, y: of two. */
static const char *const forms[] = {
	"w, DD b YYYY hh:mm:ss GMT", /* RFC 1123 */
	"W, DD-b-yy hh:mm:ss GMT",   /* RFC 850 */
	"w b ED hh:mm:ss YYYY",      /* asctime */
};

void http_date_format(time_t t, char *text)
{
	struct tm tm;

	t = t < FIRST ? FIRST : t > LAST ? LAST : t;
	gmtime_r(&t, &tm);
	snprintf(text, HTTP_DATE_TEXT, "%.3s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
	         tm.tm_mday % 100, months[tm.tm_mon], (tm.tm_year + 1900) % 10000, tm.tm_hour,
	         tm.tm_min, tm.tm_sec);
}

/* How many bytes the name takes that p begins with, of each only `most`; 0: none of them. */
static size_t read_name(const char *p, const char *const *names, size_t count, size_t most,
                        int *ret_place)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strnlen(names[i], most);

		if (strncmp(p, names[i], len) == 0) {
			*ret_place = (int)i;
			return len;
		}
	}
	return 0;
}

static size_t read_digit(const char *p, int *number)
{
	if (*p < '0' || *p > '9')
		return 0;
	*number = *number * 10 + (*p - '0');
	return 1;
}

/* How many bytes it takes; 0: something else stands there. */
static size_t read_part(char part, const char *p, struct tm *tm)
{
	switch (part) {
	case 'w':
		return read_name(p, days, COUNT(days), 3, &tm->tm_wday);
	case 'W':
		return read_name(p, days, COUNT(days), SIZE_MAX, &tm->tm_wday);
	case 'b':
		return read_name(p, months, COUNT(months), 3, &tm->tm_mon);
	case 'E':
		return *p == ' ' ? 1 : read_digit(p, &tm->tm_mday);
	case 'D':
		return read_digit(p, &tm->tm_mday);
	case 'Y':
	case 'y':
		return read_digit(p, &tm->tm_year);
	case 'h':
		return read_digit(p, &tm->tm_hour);
	case 'm':
		return read_digit(p, &tm->tm_min);
	case 's':
		return read_digit(p, &tm->tm_sec);
	default:
		return *p == part;
	}
}

/* Years of two digits: 1970 to 2069. */
static bool read_form(const char *form, const char *p, struct tm *tm)
{
	bool is_short = strchr(form, 'y');

	*tm = (struct tm){ 0 };
	for (; *form; form++) {
		size_t taken = read_part(*form, p, tm);

		if (!taken)
			return false;
		p += taken;
	}
	if (!is_short)
		tm->tm_year -= 1900;
	else if (tm->tm_year < 70)
		tm->tm_year += 100;
	return *p == '\0';
}

bool http_date_read(struct ac_slice s, time_t *ret_time)
{
	char text[48];
	size_t form = 0;
	struct tm tm;
	time_t t;
	int day;

	if (s.len >= sizeof(text))
		return false;
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	while (form < COUNT(forms) && !read_form(forms[form], text, &tm))
		form++;
	if (form == COUNT(forms) || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	day = tm.tm_mday;
	tm.tm_sec -= tm.tm_sec == 60; /* a leap second */
	t = timegm(&tm);              /* moves a day that the month has not to another month */
	if (tm.tm_mday != day)
		return false;
	*ret_time = t;
	return true;
}
