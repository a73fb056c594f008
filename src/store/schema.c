/* The tables of the journal, version 1 (docs/journal.md). */
#include "sql.h"

static const char tables[] =
	"CREATE TABLE run(id INTEGER PRIMARY KEY CHECK(id = 1), geak TEXT NOT NULL, config_hash TEXT NOT NULL,"
	" secret BLOB NOT NULL CHECK(length(secret) = 32), replay_of TEXT, created_ns INTEGER NOT NULL) STRICT;"

	"CREATE TABLE pin(name TEXT PRIMARY KEY, hash TEXT NOT NULL) STRICT;"

	"CREATE TABLE fact(seq INTEGER PRIMARY KEY, name TEXT NOT NULL, json TEXT NOT NULL) STRICT;"
	"CREATE INDEX fact_name ON fact(name, seq);"

	"CREATE TABLE trajectory(id INTEGER PRIMARY KEY, task TEXT NOT NULL, recipe TEXT NOT NULL,"
	" number INTEGER NOT NULL, UNIQUE(task, recipe, number)) STRICT;"

	"CREATE TABLE event(seq INTEGER PRIMARY KEY, traj INTEGER NOT NULL REFERENCES trajectory(id),"
	" step INTEGER NOT NULL CHECK(step >= 0), kind TEXT NOT NULL CHECK(kind IN ('started', 'asked', 'answered',"
	" 'no_answer', 'parsed', 'judged', 'stopped')), ref INTEGER, body TEXT NOT NULL, UNIQUE(traj, step)) STRICT;"

	"CREATE TABLE ask(id INTEGER PRIMARY KEY, traj INTEGER NOT NULL REFERENCES trajectory(id),"
	" step INTEGER NOT NULL, role TEXT NOT NULL, model TEXT NOT NULL, params_hash TEXT NOT NULL,"
	" prompt_hash TEXT NOT NULL, sample INTEGER NOT NULL, UNIQUE(traj, step)) STRICT;"

	"CREATE TABLE send(id INTEGER PRIMARY KEY, ask INTEGER NOT NULL REFERENCES ask(id), n INTEGER NOT NULL,"
	" started_ns INTEGER NOT NULL, ended_ns INTEGER, http INTEGER, outcome TEXT) STRICT;"
	"CREATE INDEX send_ask ON send(ask);"

	"CREATE TABLE answer(ask INTEGER PRIMARY KEY REFERENCES ask(id), text_hash TEXT, finish TEXT NOT NULL,"
	" tokens_in INTEGER NOT NULL, tokens_cached INTEGER NOT NULL, tokens_out INTEGER NOT NULL,"
	" cost_nano INTEGER) STRICT;" /* NULL: price unknown */

	"CREATE TABLE verdict(id INTEGER PRIMARY KEY, traj INTEGER NOT NULL REFERENCES trajectory(id),"
	" step INTEGER NOT NULL, purpose TEXT NOT NULL CHECK(purpose IN ('attempt', 'confirm')),"
	" candidate_hash TEXT NOT NULL, plan_hash TEXT NOT NULL, judge_build TEXT NOT NULL, stage TEXT NOT NULL,"
	" outcome TEXT NOT NULL, kind TEXT NOT NULL, evidence TEXT NOT NULL, message TEXT NOT NULL,"
	" stages_json TEXT NOT NULL) STRICT;"
	"CREATE INDEX verdict_step ON verdict(traj, step);"

	"CREATE TABLE case_result(verdict INTEGER NOT NULL REFERENCES verdict(id), case_hash TEXT NOT NULL,"
	" part TEXT NOT NULL, outcome TEXT NOT NULL, json TEXT NOT NULL) STRICT;"
	"CREATE INDEX case_verdict ON case_result(verdict);"

	"CREATE TABLE timing(verdict INTEGER NOT NULL REFERENCES verdict(id), case_hash TEXT NOT NULL, low REAL,"
	" mid REAL, high REAL, floor REAL, samples_hash TEXT) STRICT;"

	"CREATE TABLE blob(hash TEXT PRIMARY KEY, bytes INTEGER NOT NULL, body BLOB) STRICT;"; /* NULL: a file */

/* What was written stays as it was written. */
static const char triggers[] =
	"CREATE TRIGGER event_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are final'); END;"
	"CREATE TRIGGER event_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are final'); END;"
	"CREATE TRIGGER answer_update BEFORE UPDATE ON answer BEGIN SELECT RAISE(ABORT, 'answers are final'); END;"
	"CREATE TRIGGER answer_delete BEFORE DELETE ON answer BEGIN SELECT RAISE(ABORT, 'answers are final'); END;"
	"CREATE TRIGGER verdict_update BEFORE UPDATE ON verdict BEGIN SELECT RAISE(ABORT, 'verdicts are final'); END;"
	"CREATE TRIGGER verdict_delete BEFORE DELETE ON verdict BEGIN SELECT RAISE(ABORT, 'verdicts are final'); END;"
	"CREATE TRIGGER send_answered BEFORE INSERT ON send WHEN EXISTS(SELECT 1 FROM answer WHERE ask = NEW.ask)"
	" BEGIN SELECT RAISE(ABORT, 'a stored answer is never asked for again'); END;"
	"CREATE TRIGGER event_gap BEFORE INSERT ON event WHEN NEW.step <>"
	" (SELECT COALESCE(MAX(step) + 1, 0) FROM event WHERE traj = NEW.traj)"
	" BEGIN SELECT RAISE(ABORT, 'steps come without gaps'); END;";

int schema_create(struct gk_store *store, struct gk_err *e)
{
	if (sql_script(store, "BEGIN IMMEDIATE", e) < 0)
		return -1;
	if (sql_script(store, tables, e) < 0 || sql_script(store, triggers, e) < 0 ||
	    sql_script(store, "PRAGMA user_version = 1", e) < 0 || sql_script(store, "COMMIT", e) < 0)
		return -1; /* closing rolls back */
	return 0;
}

static int version_of(struct gk_store *store, int64_t *version, struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "PRAGMA user_version", "");

	if (!statement || sql_step(store, statement, e) < 0)
		return -1;
	*version = sqlite3_column_int64(statement, 0);
	return 0;
}

int schema_check(struct gk_store *store, struct gk_err *e)
{
	int64_t version = 0;

	if (version_of(store, &version, e) < 0)
		return -1;
	if (version > GK_STORE_VERSION)
		return gk_err_set(e, GK_ERR_INPUT, "%s has version %lld, this geak reads version %d: use the geak that wrote it,"
		                  " or a newer one", store->path, (long long)version, GK_STORE_VERSION);
	if (version < 1)
		return sql_damaged(store, e, "it has no tables of geak");
	return 0;
}
