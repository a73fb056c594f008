/* Prompts asked, requests sent, answers had: what is paid for, and must not be paid for twice. */
#include "base/memory.h"
#include "base/vec.h"
#include "sql.h"

#define ASK_COLUMNS "ask.id, ask.traj, ask.step, ask.role, ask.model, ask.params_hash, ask.prompt_hash, ask.sample"

int gk_store_ask_add(struct gk_store *store, struct gk_store_ask *ask, struct gk_err *e)
{
	if (sql_run(store, e, "INSERT INTO ask(traj, step, role, model, params_hash, prompt_hash, sample)"
	            " VALUES(?, ?, ?, ?, ?, ?, ?)", "iissssi", ask->trajectory, (int64_t)ask->step, ask->role, ask->model,
	            ask->params_hash, ask->prompt_hash, (int64_t)ask->sample) < 0)
		return -1;
	ask->id = sql_id(store);
	return 0;
}

static struct gk_store_ask read_ask(struct gk_arena *arena, sqlite3_stmt *statement)
{
	return (struct gk_store_ask){
		.id = sqlite3_column_int64(statement, 0),
		.trajectory = sqlite3_column_int64(statement, 1),
		.step = sqlite3_column_int(statement, 2),
		.role = sql_text(arena, statement, 3),
		.model = sql_text(arena, statement, 4),
		.params_hash = sql_text(arena, statement, 5),
		.prompt_hash = sql_text(arena, statement, 6),
		.sample = sqlite3_column_int(statement, 7),
	};
}

int gk_store_ask_get(struct gk_store *store, int64_t trajectory, int step, struct gk_arena *arena,
                     struct gk_store_ask *ask, struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "SELECT " ASK_COLUMNS " FROM ask WHERE traj = ? AND step = ?", "ii",
	                                trajectory, (int64_t)step);
	int rc = statement ? sql_step(store, statement, e) : -1;

	if (rc < 0)
		return -1;
	if (rc == 0)
		return sql_damaged(store, e, "step %d of trajectory %lld has no prompt", step, (long long)trajectory);
	*ask = read_ask(arena, statement);
	return 0;
}

static int read_asks(struct gk_store *store, sqlite3_stmt *statement, struct gk_arena *arena,
                     struct gk_store_ask **asks, size_t *count, struct gk_err *e)
{
	struct GK_VEC(struct gk_store_ask) rows = {0};
	int rc = -1;

	while (statement && (rc = sql_step(store, statement, e)) == 1)
		gk_vec_push(&rows, read_ask(arena, statement));
	sql_move_rows(&rows, arena, asks, count);
	return rc;
}

int gk_store_asks_open(struct gk_store *store, struct gk_arena *arena, struct gk_store_ask **asks, size_t *count,
                       struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "SELECT " ASK_COLUMNS " FROM ask WHERE NOT EXISTS"
	                                " (SELECT 1 FROM answer WHERE answer.ask = ask.id) ORDER BY ask.id", "");

	return read_asks(store, statement, arena, asks, count, e);
}

int gk_store_send_start(struct gk_store *store, int64_t ask, int n, int64_t started_ns, struct gk_err *e)
{
	return sql_run(store, e, "INSERT INTO send(ask, n, started_ns) VALUES(?, ?, ?)", "iii", ask, (int64_t)n,
	               started_ns);
}

int gk_store_send_end(struct gk_store *store, int64_t ask, int n, int64_t ended_ns, int http, const char *outcome,
                      struct gk_err *e)
{
	/* n begins again after a restart: the newest row of that number is meant */
	return sql_run(store, e, "UPDATE send SET ended_ns = ?, http = ?, outcome = ? WHERE id ="
	               " (SELECT MAX(id) FROM send WHERE ask = ? AND n = ? AND ended_ns IS NULL)", "iisii", ended_ns,
	               (int64_t)http, outcome, ask, (int64_t)n);
}

/* On the wire when the process died, or answered and not journalled in time: paid, perhaps, for nothing. */
#define IS_LOST "outcome IS NULL OR (outcome <> 'lost' AND http BETWEEN 200 AND 299 AND NOT EXISTS" \
	"(SELECT 1 FROM answer WHERE answer.ask = send.ask))"

int gk_store_sends_lost(struct gk_store *store, struct gk_arena *arena, struct gk_store_ask **asks, size_t *count,
                        struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "SELECT " ASK_COLUMNS " FROM send JOIN ask ON ask.id = send.ask"
	                                " WHERE " IS_LOST " ORDER BY send.id", "");

	if (read_asks(store, statement, arena, asks, count, e) < 0)
		return -1;
	return sql_run(store, e, "UPDATE send SET outcome = 'lost' WHERE " IS_LOST, "");
}

int gk_store_answer_add(struct gk_store *store, const struct gk_store_answer *answer, struct gk_err *e)
{
	const struct gk_usage *usage = &answer->usage;

	return sql_run(store, e, "INSERT INTO answer(ask, text_hash, finish, tokens_in, tokens_cached, tokens_out, cost_nano)"
	               " VALUES(?, ?, ?, ?, ?, ?, NULLIF(?, -1))", "issiiii", answer->ask, answer->text_hash, answer->finish,
	               usage->prompt_tokens, usage->cached_tokens, usage->completion_tokens, usage->cost_nano_usd);
}

static int64_t int_or(sqlite3_stmt *statement, int column, int64_t instead)
{
	return sqlite3_column_type(statement, column) == SQLITE_NULL ? instead : sqlite3_column_int64(statement, column);
}

int gk_store_answer_get(struct gk_store *store, int64_t ask, struct gk_arena *arena, struct gk_store_answer *answer,
                        bool *found, struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "SELECT text_hash, finish, tokens_in, tokens_cached, tokens_out, cost_nano"
	                                " FROM answer WHERE ask = ?", "i", ask);
	int rc = statement ? sql_step(store, statement, e) : -1;

	*found = rc == 1;
	if (rc <= 0)
		return rc;
	*answer = (struct gk_store_answer){ask, sql_text(arena, statement, 0), sql_text(arena, statement, 1),
	                                   {sqlite3_column_int64(statement, 2), sqlite3_column_int64(statement, 3),
	                                    sqlite3_column_int64(statement, 4), int_or(statement, 5, -1)}};
	return 0;
}

static int answers_total(struct gk_store *store, struct gk_store_ledger *ledger, struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "SELECT COUNT(*), SUM(tokens_in), SUM(tokens_cached), SUM(tokens_out),"
	                                " SUM(cost_nano), SUM(cost_nano IS NULL) FROM answer", "");

	if (!statement || sql_step(store, statement, e) < 0)
		return -1;
	ledger->requests = sqlite3_column_int64(statement, 0);
	ledger->prompt_tokens = sqlite3_column_int64(statement, 1);
	ledger->cached_tokens = sqlite3_column_int64(statement, 2);
	ledger->completion_tokens = sqlite3_column_int64(statement, 3);
	ledger->cost_nano_usd = sqlite3_column_int64(statement, 4);
	ledger->unpriced = sqlite3_column_int64(statement, 5);
	return 0;
}

static int lost_total(struct gk_store *store, struct gk_store_ledger *ledger, struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "SELECT SUM(json_extract(json, '$.cost_nano_usd')),"
	                                " COUNT(*) - COUNT(json_extract(json, '$.cost_nano_usd'))"
	                                " FROM fact WHERE name = 'lost'", "");

	if (!statement || sql_step(store, statement, e) < 0)
		return -1;
	ledger->lost_nano_usd = sqlite3_column_int64(statement, 0);
	ledger->cost_nano_usd += ledger->lost_nano_usd;
	ledger->unpriced += sqlite3_column_int64(statement, 1);
	return 0;
}

int gk_store_ledger(struct gk_store *store, struct gk_store_ledger *ledger, struct gk_err *e)
{
	sql_auto *statement =
		sql_query(store, e, "SELECT COUNT(*), COALESCE(SUM(outcome = 'lost'), 0) FROM send", "");

	*ledger = (struct gk_store_ledger){0};
	if (!statement || sql_step(store, statement, e) < 0)
		return -1;
	ledger->sends = sqlite3_column_int64(statement, 0);
	ledger->lost = sqlite3_column_int64(statement, 1);
	return answers_total(store, ledger, e) < 0 || lost_total(store, ledger, e) < 0 ? -1 : 0;
}
