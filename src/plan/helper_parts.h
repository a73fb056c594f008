/* Within the room: how the texts of helper kernels are written, a value at a time. */
#ifndef GK_PLAN_HELPER_PARTS_H
#define GK_PLAN_HELPER_PARTS_H

#include "helper.h"

#define HELPER_TILE 2048 /* elements that a program handles at once */

/* A value of the text: %vID, a number of that kind, or a tile of such numbers. */
struct val {
	int id;
	enum gk_ir_kind kind;
	bool is_tile;
};

struct emitter {
	struct gk_buf *out;
	int last_id;
};

enum { SCALAR = 0, TILE = 1 };

/* "tensor<2048xf32>", "f32" */
const char *emit_type(enum gk_ir_kind kind, bool is_tile);
struct val emit_new(struct emitter *m, enum gk_ir_kind kind, bool is_tile); /* named, still to be written */
struct val emit_int(struct emitter *m, enum gk_ir_kind kind, bool is_tile, int64_t value);
struct val emit_bits(struct emitter *m, enum gk_ir_kind kind, bool is_tile, uint64_t bits); /* a float */
struct val emit_one(struct emitter *m, const char *op, struct val a);               /* "math.absf" */
struct val emit_two(struct emitter *m, const char *op, struct val a, struct val b); /* of one type */
struct val emit_cmp(struct emitter *m, const char *op, struct val a, struct val b); /* "arith.cmpi ult" */
struct val emit_select(struct emitter *m, struct val condition, struct val yes, struct val no);
struct val emit_cast(struct emitter *m, const char *op, struct val a, enum gk_ir_kind kind);
/* Wider or narrower (or neither), by sign or by zeros. */
struct val emit_resize(struct emitter *m, struct val a, enum gk_ir_kind kind, bool is_signed);
struct val emit_splat(struct emitter *m, struct val a);
/* The same with a number for the second. */
struct val emit_with(struct emitter *m, const char *op, struct val a, int64_t number);

/* %base + offsets, elements of memory of that kind. offsets: a tile. */
struct val emit_load(struct emitter *m, const char *base, enum gk_ir_kind kind, struct val offsets, struct val mask);
void emit_store(struct emitter *m, const char *base, enum gk_ir_kind kind, struct val offsets, struct val mask,
                struct val value);

struct val emit_lanes(struct emitter *m);   /* 0 .. HELPER_TILE - 1, a tile of i32 */
struct val emit_program(struct emitter *m); /* its number, i32 */

/* The loop over the tiles of a program; the value is each tile's numbers of elements, i64. */
struct val emit_tiles_begin(struct emitter *m);
void emit_tiles_end(struct emitter *m);

#define HELPER_VIEWS 2

/* The numbers by which elements are found: parameters of a kernel. */
struct walk {
	struct emitter *m;
	int views;                                     /* 1: the first alone */
	struct val strides[HELPER_VIEWS][GK_MAX_RANK]; /* i64 */
	struct val shape[GK_MAX_RANK];                 /* i64, at least 1 after emit_count() */
};

/* What is left of a number that is taken apart, and the offsets so far: tiles of i64. */
struct place {
	struct val rest, offsets[HELPER_VIEWS];
};

/* helper_copy.c */
void emit_numbers(struct emitter *m, struct val numbers[GK_MAX_RANK]); /* parameters, ", %v1: i64, .." */
struct val emit_count(struct walk *w);                                 /* of elements */
/* Where the elements of these numbers (a tile of i64, row-major) lie. */
struct place emit_place(struct walk *w, struct val number, struct val count);
const char *helper_dtype_name(enum gk_dtype dtype); /* "f16" */
enum gk_dtype helper_dtype_of(const char *name, size_t size);

/* helper_assist.c: the whole of "sum_..", "abs_.."; false when there is no such kernel. */
bool helper_assist_text(const char *name, struct gk_buf *out);
void helper_assist_name(const struct gk_plan_step *step, char name[GK_HELPER_NAME]);

/* helper_copy.c: the whole of "copy_..", "set_..", "iota_.."; false when there is no such kernel. */
bool helper_strided_text(const char *name, struct gk_buf *out);
/* What a copy between the two is called, or "b4"; false when there is none. */
bool helper_copy_name(enum gk_dtype to, enum gk_dtype from, char name[GK_HELPER_NAME]);
bool helper_iota_name(enum gk_dtype to, char name[GK_HELPER_NAME]);

/* helper_cast.c: a tile as it was loaded, of memory of one dtype, as what is stored for the other. */
struct val helper_cast(struct emitter *m, struct val value, enum gk_dtype from, enum gk_dtype to);
enum gk_ir_kind helper_memory_kind(enum gk_dtype dtype);

#endif
