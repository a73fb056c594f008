/* Inside of the selftest. */
#ifndef GK_RUN_SELFTEST_PARTS_H
#define GK_RUN_SELFTEST_PARTS_H

#include "selftest.h"

/* SHA-256 of the running program, hex; "" when it cannot be read. */
const char *selftest_build(void);
/* {"schema_version", "build", "date", "facts", "lines": [], "passed": false}; new reference. */
json_t *selftest_new_record(const json_t *facts);
int selftest_keep(const json_t *facts, const json_t *result, struct gk_err *e);

#endif
