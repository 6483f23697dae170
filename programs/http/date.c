/* date.c — times as HTTP writes them, whatever the locale. */
#include "http.h"

#include <stdio.h>
#include <string.h>

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

void http_date_format(time_t t, char *text)
{
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(text, HTTP_DATE_TEXT, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
	         days + 3 * tm.tm_wday, tm.tm_mday % 100, months + 3 * tm.tm_mon,
	         (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static int month_of(const char *name)
{
	for (int i = 0; i < 12; i++)
		if (strncmp(months + 3 * i, name, 3) == 0)
			return i;
	return -1;
}

/* RFC 1123, RFC 850 and asctime. Years of two digits: 1970 to 2069. */
static bool read_forms(const char *text, struct tm *tm, char *month)
{
	int end = 0;

	if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &tm->tm_mday, month,
	           &tm->tm_year, &tm->tm_hour, &tm->tm_min, &tm->tm_sec, &end) == 6 &&
	    end && !text[end])
		return true;
	end = 0;
	if (sscanf(text, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &tm->tm_mday, month,
	           &tm->tm_year, &tm->tm_hour, &tm->tm_min, &tm->tm_sec, &end) == 6 &&
	    end && !text[end]) {
		tm->tm_year += tm->tm_year < 70 ? 2000 : 1900;
		return true;
	}
	end = 0;
	return sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &tm->tm_mday,
	              &tm->tm_hour, &tm->tm_min, &tm->tm_sec, &tm->tm_year, &end) == 6 &&
	       end && !text[end];
}

bool http_date_read(struct ac_slice s, time_t *ret_time)
{
	char text[48], month[4] = "";
	struct tm tm = { 0 };

	if (s.len >= sizeof(text))
		return false;
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	if (!read_forms(text, &tm, month))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon = month_of(month);
	if (tm.tm_mon < 0 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
	    tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	*ret_time = timegm(&tm);
	return true;
}
