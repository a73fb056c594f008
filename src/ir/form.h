/*
 * The little language of the formats in op.def, words with blanks between:
 *
 *   %  ,%?  %*      an operand, a comma and an optional one, any number with commas
 *   %1              an operand that stands last in the text and second among the operands
 *   /name           a word of the enumeration of attribute name
 *   ?key=name       optional "key = word"
 *   ?,key=name      optional ", key = word"        ,key=name   the same, required
 *   "name  @name    a string, a symbol             |name       words with | between
 *   overflow fastmath exact nneg roundingmode allow_reorder efficient_layout     optional flags
 *   {}              an optional dictionary of the other attributes
 *   T               one type for all operands and results
 *   T0  T1  T*      the type of that operand, of all operands with commas
 *   R   R*          the type of the next result (of all, where the text has one), of all with commas
 *   F               (types of operands) -> types of results
 *   select          T, or "type of operand 0, T" where operand 0 is a tensor
 *   (%*:T*)?  :(%*:T*)?   optional operands with their types (the second: after a colon)
 *   ( ) [ ] , : * -> to   themselves
 *
 * A format of one word of letters names a syntax of its own: constant, generic, scaled, for, if, while, br,
 * cond_br.
 */
#ifndef GK_IR_FORM_H
#define GK_IR_FORM_H

#include <stddef.h>

enum gk_form {
	GK_FORM_END,
	GK_FORM_OPERAND,
	GK_FORM_OPTIONAL_OPERAND,
	GK_FORM_OPERANDS,
	GK_FORM_SECOND_OPERAND,
	GK_FORM_WORD,
	GK_FORM_KEY,
	GK_FORM_COMMA_KEY,
	GK_FORM_REQUIRED_KEY,
	GK_FORM_STRING,
	GK_FORM_SYMBOL,
	GK_FORM_BAR_WORDS,
	GK_FORM_FLAGS, /* overflow<..>, fastmath<..>; name is the attribute, key the word */
	GK_FORM_UNIT,  /* exact -> isExact */
	GK_FORM_ROUNDING,
	GK_FORM_DICT,
	GK_FORM_TYPE,
	GK_FORM_OPERAND_TYPE,
	GK_FORM_OPERAND_TYPES,
	GK_FORM_RESULT_TYPE,
	GK_FORM_RESULT_TYPES,
	GK_FORM_FUNCTIONAL,
	GK_FORM_SELECT,
	GK_FORM_TYPED_OPERANDS,
	GK_FORM_COLON_TYPED_OPERANDS,
	GK_FORM_LITERAL, /* key */
};

struct gk_form_word {
	enum gk_form form;
	char key[24], name[24];
	int index; /* OPERAND_TYPE */
};

/* The next word of a format; END at its end. */
void gk_form_next(const char **format, struct gk_form_word *word);
/* How a format shows the attribute name; END when it does not, and the dictionary holds it. */
enum gk_form gk_form_find(const char *format, const char *name);
/* Whether a format is a syntax of its own. */
int gk_form_is_special(const char *format);

#endif
