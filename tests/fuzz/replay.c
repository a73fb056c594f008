/* Feeds every file of CORPUS to a fuzzer's harness, without libFuzzer: TAP out, a crash is a failure. */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/file.h"
#include "tap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(void)
{
	gk_arena_auto arena = {0};
	struct gk_err e = {0};
	char **names;
	size_t count;

	if (gk_dir_list(CORPUS, &arena, &names, &count, &e) < 0) {
		printf("Bail out! %s\n", e.text);
		return 1;
	}
	for (size_t i = 0; i < count; i++) {
		char *bytes = NULL;
		size_t size = 0;

		if (gk_file_read(gk_path_join(&arena, CORPUS, names[i]), 1 << 24, &bytes, &size, &e) < 0) {
			ok(0, e.text);
			continue;
		}
		LLVMFuzzerTestOneInput((const uint8_t *)bytes, size);
		free(bytes);
		ok(1, names[i]);
	}
	ok(count > 0, "there are seeds");
	return done_testing();
}
