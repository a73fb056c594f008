#include "base/text.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "tap.h"

static void safe(const char *text, size_t max, bool multiline, const char *want, const char *behaviour)
{
	gk_buf_auto out = GK_BUF_INIT;

	gk_text_add_safe(&out, text, strlen(text), max, multiline);
	is_text(gk_buf_text(&out), want, behaviour);
}

static void utf8(void)
{
	static const char *const good[] = {"", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", NULL};
	static const char *const bad[] = {"\x80", "\xc0\xaf", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
	                                  "\xf5\x80\x80\x80", "a\xff", "\xe2\x82", NULL};

	for (int i = 0; good[i]; i++)
		ok(gk_text_is_utf8(good[i], strlen(good[i])), "well-formed UTF-8 is accepted");
	for (int i = 0; bad[i]; i++)
		ok(!gk_text_is_utf8(bad[i], strlen(bad[i])), "overlong, cut, surrogate and stray bytes are not UTF-8");
	ok(!gk_text_is_utf8("a\0b", 3), "a zero byte is refused");
}

static void display(void)
{
	safe("plain", 100, false, "plain", "plain text stays");
	safe("a\x1b[31mred", 100, false, "a?[31mred", "escapes lose their power");
	safe("a\nb\tc\r", 100, true, "a\nb\tc?", "lines and tabs stay in text of many lines");
	safe("a\nb", 100, false, "a?b", "and go in one line");
	safe("a\xff\xfe z", 100, false, "a?? z", "bytes that are no text are replaced");
	safe("\xc2\x9b" "31m", 100, false, "?31m", "so is the 8-bit form of an escape");
	safe("a\xe2\x80\xae" "b", 100, false, "a?b", "and the mark that turns the direction");
	safe("0123456789", 10, false, "0123456789", "what fits is not cut");
	safe("0123456789x", 10, false, "0123456...", "what does not is cut with dots");
	safe("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", 10, false, "\xe2\x82\xac\xe2\x82\xac...",
	     "never within a character");
}

static void nearest(void)
{
	static const char *const names[] = {"iterations", "parallel", "model", "output", NULL};

	is_text(gk_text_nearest("iteration", names), "iterations", "a missing letter is guessed");
	is_text(gk_text_nearest("paralell", names), "parallel", "so are swapped ones");
	is_text(gk_text_nearest("MODEL", names), "model", "case does not matter");
	ok(gk_text_nearest("zebra", names) == NULL, "what is like nothing gets no guess");
}

static void numbers(void)
{
	int64_t whole = 0;
	double real = 0;
	char text[32];

	ok(gk_text_to_int("-12", &whole) && whole == -12, "an integer is read");
	ok(gk_text_to_int("9223372036854775807", &whole) && whole == INT64_MAX, "the largest too");
	ok(!gk_text_to_int("9223372036854775808", &whole), "one more is out of range");
	ok(!gk_text_to_int("12x", &whole) && !gk_text_to_int("", &whole) && !gk_text_to_int(" 1", &whole) &&
	           !gk_text_to_int("-", &whole),
	   "what is no integer is refused");
	ok(gk_text_to_double("1e-3", &real) && real == 1e-3, "a number is read");
	ok(!gk_text_to_double("1e999", &real) && !gk_text_to_double("x", &real) && !gk_text_to_double("", &real),
	   "what is none or out of range is refused");
	static const struct { double value; const char *text; } cases[] = {
		{1e-5, "1e-05"}, {3, "3"}, {0.1, "0.1"}, {NAN, "nan"}, {-INFINITY, "-inf"}, {-0.0, "-0"},
		{1.0 / 3, "0.3333333333333333"}, {5e-324, "5e-324"}, {1e23, "1e+23"}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		gk_text_number(cases[i].value, text);
		is_text(text, cases[i].text, "a number has one short spelling");
	}
	srand(1);
	int exact = 1;
	for (int i = 0; i < 20000; i++) {
		double value = ldexp(rand(), rand() % 1800 - 900) / (rand() + 1.0);

		gk_text_number(value, text);
		exact &= strtod(text, NULL) == value;
	}
	ok(exact, "every number reads back");
}

static void hashes(void)
{
	char hex[GK_HEX_SIZE];
	uint8_t mac[GK_HASH_BYTES], secret[GK_HASH_BYTES] = {1};
	char *million = malloc(1000000);
	struct gk_sha256 whole, parts;
	uint8_t a[GK_HASH_BYTES], b[GK_HASH_BYTES];

	gk_hash_hex("", 0, hex);
	is_text(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "SHA-256 of nothing");
	gk_hash_hex("abc", 3, hex);
	is_text(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "SHA-256 of abc");
	memset(million, 'a', 1000000);
	gk_hash_hex(million, 1000000, hex);
	is_text(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", "SHA-256 of a million a");
	gk_sha256_init(&whole);
	gk_sha256_add(&whole, million, 1000);
	gk_sha256_end(&whole, a);
	gk_sha256_init(&parts);
	for (size_t i = 0, step = 1; i < 1000; i += step, step = step % 97 + 1)
		gk_sha256_add(&parts, million + i, i + step > 1000 ? 1000 - i : step);
	gk_sha256_end(&parts, b);
	ok(memcmp(a, b, sizeof a) == 0, "pieces hash as the whole");
	free(million);
	gk_hmac("Jefe", 4, "what do ya want for nothing?", 28, mac);
	ok(mac[0] == 0x5b && mac[1] == 0xdc && mac[31] == 0x43, "HMAC-SHA-256 as RFC 4231, case 2");
	ok(gk_hmac_seed(secret, "a") != gk_hmac_seed(secret, "b") && gk_hmac_seed(secret, "a") == gk_hmac_seed(secret, "a"),
	   "a seed depends on its text, and on nothing else");
	gk_random_bytes(a, sizeof a);
	gk_random_bytes(b, sizeof b);
	ok(memcmp(a, b, sizeof a) != 0, "the kernel's random numbers differ");
}

static void errors(void)
{
	struct gk_err e = {0};
	char long_text[3000];

	is_int(gk_err_set(&e, GK_ERR_INPUT, "a\nb\x1b"), -1, "an error returns -1");
	is_text(e.text, "a?b?", "its text is one printable line");
	gk_err_context(&e, "file %d", 3);
	is_text(e.text, "file 3: a?b?", "context stands in front");
	ok(e.kind == GK_ERR_INPUT, "the kind stays");
	memset(long_text, 'x', sizeof long_text);
	long_text[sizeof long_text - 1] = '\0';
	gk_err_set(&e, GK_ERR_SYSTEM, "%s", long_text);
	ok(strlen(e.text) == sizeof e.text - 1 && gk_text_ends(e.text, "x..."), "a long text is cut with dots");
}

int main(void)
{
	char wall[32];

	utf8();
	display();
	nearest();
	numbers();
	hashes();
	errors();
	gk_wall_text(1769864759LL * 1000000000, wall, sizeof wall);
	is_text(wall, "2026-01-31 13:05:59", "wall time is written in UTC");
	int64_t before = gk_clock_ns();
	ok(gk_clock_ns() >= before, "the clock does not run backwards");
	return done_testing();
}
