/* Longest common subsequence of lines by dynamic programming, after the common ends are cut off. */
#include "view/diff.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/vec.h"

#define MAX_CELLS ((size_t)4 << 20)

struct line {
	const char *text;
	size_t size;
};

struct lines GK_VEC(struct line);
struct script GK_VEC(struct gk_diff_line);

static void split(const char *text, size_t size, struct lines *lines)
{
	const char *end = text + size;

	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		struct line line = {text, (size_t)((stop ? stop : end) - text)};

		gk_vec_push(lines, line);
		text = stop ? stop + 1 : end;
	}
}

static bool same(const struct line *a, const struct line *b)
{
	return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

static void put(struct script *script, char sign, const struct line *line)
{
	struct gk_diff_line added = {sign, line->text, line->size};

	gk_vec_push(script, added);
}

/* length[i * (m + 1) + j]: of the longest common subsequence of a[i ..] and b[j ..] */
static uint16_t *lengths(const struct line *a, size_t n, const struct line *b, size_t m)
{
	uint16_t *length = gk_alloc_array((n + 1) * (m + 1), sizeof *length);

	for (size_t i = n; i-- > 0;)
		for (size_t j = m; j-- > 0;) {
			const uint16_t *row = length + i * (m + 1), *below = row + m + 1;

			length[i * (m + 1) + j] = same(&a[i], &b[j]) ? (uint16_t)(below[j + 1] + 1)
			                          : below[j] >= row[j + 1] ? below[j] : row[j + 1];
		}
	return length;
}

static void walk(const struct line *a, size_t n, const struct line *b, size_t m, struct script *script)
{
	bool is_large = (n + 1) * (m + 1) > MAX_CELLS || n > UINT16_MAX || m > UINT16_MAX;
	uint16_t *length = is_large ? NULL : lengths(a, n, b, m);
	size_t i = 0, j = 0;

	while (i < n || j < m) {
		if (length && i < n && j < m && same(&a[i], &b[j])) {
			put(script, ' ', &a[i++]);
			j++;
		} else if (i < n && (!length || j == m || length[(i + 1) * (m + 1) + j] >= length[i * (m + 1) + j + 1])) {
			put(script, '-', &a[i++]);
		} else {
			put(script, '+', &b[j++]);
		}
	}
	free(length);
}

void gk_diff(const char *old_text, size_t old_size, const char *new_text, size_t new_size, struct gk_arena *arena,
             struct gk_diff_line **lines, size_t *count)
{
	struct lines a = {0}, b = {0};
	struct script script = {0};
	size_t head = 0, tail = 0;

	split(old_text, old_size, &a);
	split(new_text, new_size, &b);
	while (head < a.count && head < b.count && same(&a.items[head], &b.items[head]))
		put(&script, ' ', &a.items[head++]);
	while (tail < a.count - head && tail < b.count - head &&
	       same(&a.items[a.count - 1 - tail], &b.items[b.count - 1 - tail]))
		tail++;
	walk(a.items + head, a.count - head - tail, b.items + head, b.count - head - tail, &script);
	for (; tail > 0; tail--)
		put(&script, ' ', &a.items[a.count - tail]);
	*count = script.count;
	*lines = gk_arena_array(arena, script.count, sizeof **lines);
	if (script.count)
		memcpy(*lines, script.items, script.count * sizeof **lines);
	gk_vec_release(&a);
	gk_vec_release(&b);
	gk_vec_release(&script);
}
