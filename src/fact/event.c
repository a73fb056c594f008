#include "event.h"

#include "base/memory.h"

const char *const gk_event_names[] = {
	"started", "asked", "answered", "no_answer", "parsed", "judged", "stopped", NULL,
};
_Static_assert(gk_count_of(gk_event_names) == GK_EVENT_COUNT + 1, "one name for each kind, and NULL");
