// What the parts of the interpreter share: a program as it is when it has been parsed.
#ifndef PTX_INTERNAL_H
#define PTX_INTERNAL_H

#include "ptx.h"

#include <setjmp.h>

// What stands here is the interpreter's alone: without this, names of other libraries could take the place of its own.
#pragma GCC visibility push(hidden)

typedef uint8_t pred, b8, u8;
typedef uint16_t b16, u16;
typedef uint32_t b32, u32;
typedef uint64_t b64, u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef float f32;
typedef double f64;

enum type { T_none, T_pred, T_b8, T_u8, T_s8, T_b16, T_u16, T_s16, T_b32, T_u32, T_s32, T_f32, T_b64, T_u64, T_s64, T_f64, T_count };

typedef enum type type;

extern const char *const type_names[T_count];
int type_size(type t); // in bytes; 0 for T_pred
int type_signed(type t);
int type_float(type t);

enum op {
	OP_none,
#define OP1(id, text, D, A, e) OP_##id,
#define OP2(id, text, D, A, B, e) OP_##id,
#define OP3(id, text, D, A, B, C, e) OP_##id,
#define OP4(id, text, D, A, B, C, E, e) OP_##id,
#define SETP(id, text, T, e) OP_##id,
#include "ptx_ops.h"
	OP_ld_global, OP_ld_shared, OP_ld_param, OP_ld_generic, OP_st_global, OP_st_shared, OP_st_generic,
	OP_pack, OP_unpack, OP_bra, OP_ret, OP_bar, OP_fence, OP_trap,
};

// An operand is a slot of a thread's frame, which holds its registers, then the special registers, then the constants. A
// register's value stands in its slot with zeros above its width.
typedef struct insn {
	u16 op;
	u8 negated;   // the predicate that guards it
	u8 vector;    // elements of ld, st, mov: 1, 2 or 4
	u8 size;      // bytes of an element
	u8 sign;      // of what is loaded
	u8 boolean;   // setp: 0, or '&', '|', '^' with c
	u8 c_negated; // setp
	int guard;    // a slot, or -1
	int dst, dst2;
	int a, b, c, d;
	int v[4];      // the vector
	u64 mask;      // of the destination's width
	s64 offset;    // added to the address
	u32 target;    // of a branch, an index
	u32 line, length;
	const char *text;
} insn;

typedef struct reg_decl {
	const char *name;
	size_t length;
	type type;
	u32 first, count; // slots; count 0 is one register of this very name
} reg_decl;

typedef struct variable { // a parameter or a variable of shared memory
	const char *name;
	size_t length;
	u64 offset, size;
} variable;

typedef struct label {
	const char *name;
	size_t length;
	u32 at, line;
} label;

enum special { TID, NTID = 3, CTAID = 6, NCTAID = 9, LANEID = 12, SPECIALS };

struct ptx_function {
	ptx_function *next;
	const char *name;
	size_t length;
	insn *code;
	reg_decl *regs;
	variable *params, *shared;
	label *labels;
	u64 *consts;
	u32 n_code, n_regs, n_params, n_shared, n_labels, n_consts;
	u32 slots;       // of registers
	u64 param_bytes, shared_bytes;
	u32 max_threads; // of a block, 0 is none given
	int exact;       // a block must have max_threads
	int barriers;
};

struct ptx_module {
	char *image;
	ptx_function *functions;
	int version, target;
};

enum token { TOK_end, TOK_word, TOK_int, TOK_float, TOK_string, TOK_punct };

typedef struct parser {
	ptx_module *m;
	ptx_function *f;
	const char *p; // what comes behind the token
	u32 line;
	enum token token;
	const char *text;
	size_t length;
	u64 value;        // of a number
	int wide;         // of a float: 64 bits
	char *err;
	size_t n;
	jmp_buf failed;
} parser;

_Noreturn void parse_error(parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void next_token(parser *p);
int is(const parser *p, const char *text);
int take(parser *p, const char *text);
void expect(parser *p, const char *text);
s64 parse_int(parser *p);
type parse_type(const char *text, size_t length); // without its point; T_none if it is none
void *grow(parser *p, void *array, u32 *count, size_t size);
int find_register(const ptx_function *f, const char *name, size_t length, type *t);
const variable *find_variable(const variable *v, u32 n, const char *name, size_t length);

// decode reads one instruction, which begins at the current token, to its semicolon.
void decode(parser *p);

// SHARED_WINDOW is where generic addresses show shared memory.
#define SHARED_WINDOW (1ull << 60)

#pragma GCC visibility pop

#endif
