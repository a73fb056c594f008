#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/vec.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static void arena_blocks(void)
{
	gk_arena_auto arena = {0};
	unsigned char *blocks[300];
	int clean = 1, apart = 1, aligned = 1;

	for (size_t i = 0; i < 300; i++) {
		size_t size = i * 37 % 9000;

		blocks[i] = gk_arena_alloc(&arena, size);
		aligned &= (uintptr_t)blocks[i] % _Alignof(max_align_t) == 0;
		for (size_t j = 0; j < size; j++)
			clean &= blocks[i][j] == 0;
		memset(blocks[i], (int)i & 0xff, size);
	}
	for (size_t i = 0; i < 300; i++)
		for (size_t j = 0; j < i * 37 % 9000; j++)
			apart &= blocks[i][j] == (i & 0xff);
	ok(clean, "an arena's memory is zero");
	ok(aligned, "an arena's memory is aligned for any object");
	ok(apart, "blocks of an arena do not overlap");
	ok(gk_arena_alloc(&arena, 0) != gk_arena_alloc(&arena, 0), "empty blocks have pointers of their own");
	ok(arena.used_bytes > 100000, "an arena counts its bytes");
	gk_arena_release(&arena);
	is_int((long long)arena.used_bytes, 0, "a released arena is empty");
	is_text(gk_arena_printf(&arena, "%d-%s", 7, "x"), "7-x", "a released arena is usable");
	ok(gk_arena_string(&arena, NULL) == NULL, "no text stays no text");
	is_text(gk_arena_copy(&arena, "abcdef", 3), "abc", "copied bytes are closed by a zero");
}

static void buffer_grows(void)
{
	gk_buf_auto buf = GK_BUF_INIT;

	is_text(gk_buf_text(&buf), "", "an empty buffer is an empty text");
	for (int i = 0; i < 1000; i++)
		gk_buf_printf(&buf, "%d,", i);
	is_int((long long)buf.size, 3890, "a buffer grows as text is added");
	ok(strncmp(buf.bytes + buf.size - 4, "999,", 4) == 0, "its end is what was added last");
	gk_buf_drop(&buf, buf.size - 4);
	is_text(gk_buf_text(&buf), "999,", "bytes are dropped at the front");
	gk_buf_add(&buf, "a\0b", 3);
	is_int((long long)buf.size, 7, "zero bytes count");
	gk_buf_clear(&buf);
	is_text(gk_buf_text(&buf), "", "a cleared buffer is empty");
	gk_free_auto char *stolen = gk_buf_steal(&buf);
	is_text(stolen, "", "an emptied buffer gives an empty text away");
}

static void buffer_ceiling(void)
{
	gk_buf_auto buf = {.ceiling = 10};

	gk_buf_add_text(&buf, "0123456789");
	ok(!buf.is_full, "a buffer takes as much as its ceiling");
	gk_buf_add_char(&buf, 'x');
	ok(buf.is_full, "one byte more marks it as full");
	is_text(gk_buf_text(&buf), "0123456789", "and is not added");
	ok(gk_buf_reserve(&buf, SIZE_MAX) == NULL, "an absurd size is refused");
	gk_buf_clear(&buf);
	ok(!buf.is_full, "clearing forgets the mark");
	gk_buf_printf(&buf, "%s", "0123456789a");
	ok(buf.is_full && buf.size == 0, "formatted text over the ceiling is not added in part");
}

static void vector_grows(void)
{
	struct GK_VEC(int) numbers = {0};
	long long sum = 0;

	for (int i = 0; i < 1000; i++)
		gk_vec_push(&numbers, i);
	for (size_t i = 0; i < numbers.count; i++)
		sum += numbers.items[i];
	is_int(sum, 499500, "a vector keeps what is pushed");
	is_int(gk_vec_last(&numbers), 999, "its last item is the one pushed last");
	gk_vec_release(&numbers);
	ok(!numbers.items && !numbers.count, "a released vector is empty");
}

static void map_keeps(void)
{
	gk_map_auto map = {0};
	char key[16];
	bool is_new, all = true, ordered = true;
	int things[100];

	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "key%d", i);
		gk_map_put(&map, key, &is_new)->number = i;
		all &= is_new;
	}
	ok(all, "keys are new the first time");
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "key%d", i);
		all &= gk_map_find(&map, key) && gk_map_find(&map, key)->number == i;
		ordered &= strcmp(map.entries[i].key, key) == 0;
	}
	ok(all, "every key finds its value");
	ok(ordered, "entries stand in order of insertion");
	gk_map_put(&map, "key7", &is_new)->number = -1;
	ok(!is_new && map.count == 5000, "putting a known key adds nothing");
	is_int(gk_map_find(&map, "key7")->number, -1, "but changes its value");
	ok(gk_map_find(&map, "key5000") == NULL, "an unknown key is not found");
	ok(gk_map_put_bytes(&map, "a\0b", 3, NULL) != gk_map_put_bytes(&map, "a\0c", 3, NULL), "keys may hold zeros");
	for (int i = 0; i < 100; i++)
		gk_map_put_address(&map, &things[i], NULL)->pointer = &things[99 - i];
	for (int i = 0; i < 100; i++)
		all &= gk_map_find_address(&map, &things[i])->pointer == &things[99 - i];
	ok(all, "addresses are keys as well");
	ok(gk_map_find_address(&map, &map) == NULL, "an unknown address is not found");
}

static int status_of(void (*body)(void))
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(9);
		body();
		_exit(0);
	}
	waitpid(child, &status, 0);
	return status;
}

static void overflow(void)
{
	gk_alloc_array(SIZE_MAX / 2, 4);
}

static void broken_invariant(void)
{
	gk_bug("a test");
}

int main(void)
{
	arena_blocks();
	buffer_grows();
	buffer_ceiling();
	vector_grows();
	map_keeps();
	ok(WIFSIGNALED(status_of(overflow)), "an overflowing product aborts");
	ok(WIFSIGNALED(status_of(broken_invariant)), "a bug aborts");
	return done_testing();
}
