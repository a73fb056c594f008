#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAME 64

bool gk_text_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool gk_text_ends(const char *text, const char *suffix)
{
	size_t length = strlen(text), tail = strlen(suffix);

	return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

static size_t sequence_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* The second byte's range keeps out overlong forms, surrogates and what lies beyond U+10FFFF. */
static bool second_is_valid(unsigned char first, unsigned char second)
{
	unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

	return second >= low && second <= high;
}

/* Bytes of the UTF-8 sequence at text, 0 when there is none. */
static size_t utf8_at(const unsigned char *text, size_t size)
{
	size_t length = sequence_length(text[0]);

	if (length < 2)
		return length;
	if (length > size || !second_is_valid(text[0], text[1]))
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

bool gk_text_is_utf8(const char *text, size_t size)
{
	const unsigned char *at = (const unsigned char *)text;

	while (size) {
		size_t length = *at ? utf8_at(at, size) : 0;

		if (!length)
			return false;
		at += length;
		size -= length;
	}
	return true;
}

/* C0, DEL, C1 (U+0080..U+009F), line separators and the marks that turn the direction of writing. */
static bool drives_a_terminal(const unsigned char *at, size_t length, bool multiline)
{
	if (length == 1)
		return (at[0] < 0x20 && !(multiline && (at[0] == '\n' || at[0] == '\t'))) || at[0] == 0x7f;
	if (length == 2)
		return at[0] == 0xc2 && at[1] < 0xa0;
	if (length == 3 && at[0] == 0xe2 && at[1] == 0x80)
		return at[2] >= 0xa8 && at[2] <= 0xae;
	return length == 3 && at[0] == 0xe2 && at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9;
}

void gk_text_add_safe(struct gk_buf *out, const char *text, size_t size, size_t max_bytes, bool multiline)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t room = max_bytes > 3 ? max_bytes - 3 : 0;
	bool fits = size <= max_bytes;

	while (size) {
		size_t length = utf8_at(at, size);
		size_t step = length ? length : 1;

		if (!fits && step > room) {
			gk_buf_add_text(out, "...");
			return;
		}
		if (!length || drives_a_terminal(at, length, multiline))
			gk_buf_add_char(out, '?');
		else
			gk_buf_add(out, at, length);
		room -= fits ? 0 : step;
		at += step;
		size -= step;
	}
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein distance, kept in one row; upper and lower case are the same letter. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[MAX_NAME + 1], length = strlen(b);

	if (strlen(a) > MAX_NAME || length > MAX_NAME)
		return MAX_NAME;
	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < length; j++) {
			bool same = tolower((unsigned char)a[i]) == tolower((unsigned char)b[j]);
			size_t next = smallest(row[j] + 1, row[j + 1] + 1, diagonal + !same);

			diagonal = row[j + 1];
			row[j + 1] = next;
		}
	}
	return row[length];
}

const char *gk_text_nearest(const char *text, const char *const *names)
{
	size_t best = strlen(text) / 3 + 2; /* one slip in short words, about a third of long ones */
	const char *nearest = NULL;

	for (; *names; names++) {
		size_t distance = edit_distance(text, *names);

		if (distance < best && distance < strlen(*names)) {
			best = distance;
			nearest = *names;
		}
	}
	return nearest;
}

bool gk_text_to_int(const char *text, int64_t *value)
{
	char *end;
	long long number;

	if (!isdigit((unsigned char)text[0]) &&
	    !((text[0] == '-' || text[0] == '+') && isdigit((unsigned char)text[1])))
		return false;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || *end)
		return false;
	*value = number;
	return true;
}

bool gk_text_to_double(const char *text, double *value)
{
	char *end;
	double number;

	if (!*text || isspace((unsigned char)*text))
		return false;
	errno = 0;
	number = strtod(text, &end);
	if (*end || (errno == ERANGE && isinf(number)))
		return false;
	*value = number;
	return true;
}

void gk_text_number(double value, char text[32])
{
	char wide[64] = "";

	if (isnan(value)) {
		snprintf(text, 32, "nan");
		return;
	}
	if (isinf(value)) {
		snprintf(text, 32, value < 0 ? "-inf" : "inf");
		return;
	}
	/* %g drops zeros at the end, so that 15 digits are the shortest form of all that fits into them. */
	for (int digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG; digits <= 17; digits++) {
		snprintf(wide, sizeof wide, "%.*g", digits, value);
		if (strtod(wide, NULL) == value)
			break;
	}
	memcpy(text, wide, 32); /* 24 bytes at most: "-2.2250738585072014e-308" */
}
