// The reader of instructions: a mnemonic is looked up whole, with all its modifiers, so that none is passed over.
#include "ptx_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
	const char *text;
	u16 op;
	u8 sources, compares;
	type types[5]; // of the destination and the sources
} entry;

static const entry table[] = {
#define OP1(id, text, D, A, e) {text, OP_##id, 1, 0, {T_##D, T_##A}},
#define OP2(id, text, D, A, B, e) {text, OP_##id, 2, 0, {T_##D, T_##A, T_##B}},
#define OP3(id, text, D, A, B, C, e) {text, OP_##id, 3, 0, {T_##D, T_##A, T_##B, T_##C}},
#define OP4(id, text, D, A, B, C, E, e) {text, OP_##id, 4, 0, {T_##D, T_##A, T_##B, T_##C, T_##E}},
#define SETP(id, text, T, e) {text, OP_##id, 2, 1, {T_pred, T_##T, T_##T}},
#include "ptx_ops.h"
};

static u64 width_mask(type t) { return t == T_pred ? 1 : type_size(t) == 8 ? ~0ull : (1ull << 8 * type_size(t)) - 1; }

// constant returns the slot of a constant.
static int constant(parser *p, u64 value) {
	ptx_function *f = p->f;
	u32 i = 0;
	while (i < f->n_consts && f->consts[i] != value)
		i++;
	if (i == f->n_consts) {
		f->consts = grow(p, f->consts, &f->n_consts, sizeof *f->consts);
		f->consts[i] = value;
	}
	return (int)(f->slots + SPECIALS + i);
}

// check_type refuses a register of type r for an operand of type t. Registers of bits take anything of their width; where
// wider ones may stand, they do for integers.
static void check_type(parser *p, type r, type t, int wider) {
	int integers = !type_float(r) && !type_float(t) && r != T_pred && t != T_pred;
	int bits = r == T_b16 || r == T_b32 || r == T_b64 || t == T_b16 || t == T_b32 || t == T_b64;
	if (r == t || ((integers || (bits && r != T_pred && t != T_pred)) && type_size(r) == type_size(t)))
		return;
	if (wider && integers && type_size(r) > type_size(t))
		return;
	parse_error(p, "a register of type .%s stands for a .%s", type_names[r], type_names[t]);
}

static int register_at(parser *p, type *t) {
	int slot = p->token == TOK_word ? find_register(p->f, p->text, p->length, t) : -1;
	if (slot < 0)
		parse_error(p, "'%.*s' stands where a register is expected", (int)p->length, p->text);
	next_token(p);
	return slot;
}

static int destination(parser *p, type t, int wider, u64 *mask) {
	type r;
	int slot = register_at(p, &r);
	if ((u32)slot >= p->f->slots)
		parse_error(p, "a special register is written");
	check_type(p, r, t, wider);
	*mask = width_mask(r);
	return slot;
}

static int source(parser *p, type t, int wider) {
	if (p->token == TOK_float) {
		if (!type_float(t) || p->wide != (t == T_f64))
			parse_error(p, "the float %.*s stands for a .%s", (int)p->length, p->text, type_names[t]);
		u64 v = p->value;
		next_token(p);
		return constant(p, v);
	}
	if (p->token == TOK_int || is(p, "-")) {
		if (type_float(t))
			parse_error(p, "an integer stands for a .%s", type_names[t]);
		int minus = is(p, "-");
		s64 v = parse_int(p);
		int bits = t == T_pred ? 1 : 8 * type_size(t);
		if (bits < 64 && (minus ? v < -(1ll << (bits - 1)) : (u64)v >> bits != 0))
			parse_error(p, "%lld does not fit a .%s", (long long)v, type_names[t]);
		return constant(p, (u64)v & width_mask(t));
	}
	if (p->token == TOK_word) {
		const variable *v = find_variable(p->f->shared, p->f->n_shared, p->text, p->length);
		if (v && t != T_u64 && t != T_b64 && t != T_s64)
			parse_error(p, "an address stands for a .%s", type_names[t]);
		if (v) {
			next_token(p);
			return constant(p, v->offset);
		}
	}
	type r;
	int slot = register_at(p, &r);
	check_type(p, r, t, wider);
	return slot;
}

// vector reads registers in braces.
static u8 vector(parser *p, insn *in, type t, int wider, int written) {
	u8 n = 0;
	expect(p, "{");
	do {
		if (n == 4)
			parse_error(p, "a vector of more than four");
		in->v[n++] = written ? destination(p, t, wider, &in->mask) : source(p, t, wider);
	} while (take(p, ","));
	expect(p, "}");
	return n;
}

// address reads [register], [register+offset], [variable] or [variable+offset].
static void address(parser *p, insn *in) {
	expect(p, "[");
	const variable *v = NULL;
	if (in->op == OP_ld_param) {
		v = p->token == TOK_word ? find_variable(p->f->params, p->f->n_params, p->text, p->length) : NULL;
		if (!v)
			parse_error(p, "'%.*s' stands where a parameter is expected", (int)p->length, p->text);
		in->offset = (s64)v->offset;
		next_token(p);
	} else {
		if (p->token != TOK_word)
			parse_error(p, "'%.*s' stands where an address is expected", (int)p->length, p->text);
		in->a = source(p, T_u64, 0);
	}
	if (take(p, "+"))
		in->offset += parse_int(p);
	else if (is(p, "-"))
		in->offset += parse_int(p);
	if (v && (in->offset < (s64)v->offset || (u64)in->offset + (u64)in->size * in->vector > v->offset + v->size || in->offset % (in->size * in->vector)))
		parse_error(p, "reads %d bytes at offset %lld of a parameter of %llu", in->size * in->vector, (long long)in->offset - (long long)v->offset, (unsigned long long)v->size);
	expect(p, "]");
}

// next_part takes the next of a mnemonic's modifiers if it is one of the words, which spaces separate, and says which: 1 for
// the first, 0 for none.
static int next_part(const char **m, const char *words) {
	size_t n = **m == '.' ? strcspn(*m + 1, ".") : 0;
	for (int i = 1; n && *words; i++) {
		size_t k = strcspn(words, " ");
		if (k == n && !memcmp(*m + 1, words, n)) {
			*m += n + 1;
			return i;
		}
		words += k + (words[k] == ' ');
	}
	return 0;
}

static void load_store(parser *p, insn *in, const char *mnemonic) {
	int load = mnemonic[0] == 'l';
	const char *m = mnemonic + 2;
	int is_volatile = next_part(&m, "volatile");
	switch (next_part(&m, "global shared param")) {
	case 1: in->op = load ? OP_ld_global : OP_st_global; break;
	case 2: in->op = load ? OP_ld_shared : OP_st_shared; break;
	case 3: in->op = load ? OP_ld_param : OP_none; break;
	default: in->op = load ? OP_ld_generic : OP_st_generic;
	}
	if (!is_volatile && (in->op == OP_ld_global || in->op == OP_st_global)) { // hints for the caches
		next_part(&m, load ? "ca cg cs lu cv" : "wb cg cs wt");
		if (load)
			next_part(&m, "nc");
	}
	in->vector = (u8)(1 << next_part(&m, "v2 v4"));
	type t = *m == '.' ? parse_type(m + 1, strlen(m + 1)) : T_none;
	if (in->op == OP_none || !type_size(t) || in->vector * type_size(t) > 16)
		parse_error(p, "the instruction %s is not known", mnemonic);
	in->size = (u8)type_size(t);
	in->sign = (u8)type_signed(t);
	if (!load) {
		address(p, in);
		expect(p, ",");
	}
	if (is(p, "{")) {
		if (vector(p, in, t, 1, load) != in->vector || in->vector == 1)
			parse_error(p, "a vector of another length than %s says", mnemonic);
	} else if (in->vector > 1) {
		parse_error(p, "%s takes a vector", mnemonic);
	} else {
		in->v[0] = load ? destination(p, t, 1, &in->mask) : source(p, t, 1);
	}
	if (load) {
		expect(p, ",");
		address(p, in);
	}
}

// compare reads setp's operands: p, a, b or p|q, a, b, and a third predicate where there is a boolean.
static void compare(parser *p, insn *in, type t) {
	u64 mask;
	in->dst = destination(p, T_pred, 0, &mask);
	in->dst2 = take(p, "|") ? destination(p, T_pred, 0, &mask) : -1;
	expect(p, ",");
	in->a = source(p, t, 0);
	expect(p, ",");
	in->b = source(p, t, 0);
	if (in->boolean) {
		expect(p, ",");
		in->c_negated = (u8)take(p, "!");
		in->c = source(p, T_pred, 0);
	}
}

// pack_unpack reads a mov between a register and a vector of its parts.
static void pack_unpack(parser *p, insn *in, type t) {
	type part[5] = {0};
	part[2] = t == T_b64 ? T_b32 : T_b16;
	part[4] = t == T_b64 ? T_b16 : T_b8;
	const char *brace = p->text;
	int commas = 0;
	if (*brace != '{')
		brace = strchr(brace, '{');
	for (; brace && *brace && *brace != '}'; brace++)
		commas += *brace == ',';
	if (commas != 1 && commas != 3)
		parse_error(p, "a vector of %d parts", commas + 1);
	type each = part[commas + 1];
	in->vector = (u8)(commas + 1);
	in->size = (u8)type_size(each);
	if (is(p, "{")) {
		in->op = OP_unpack;
		vector(p, in, each, 0, 1);
		expect(p, ",");
		in->a = source(p, t, 0);
	} else {
		in->op = OP_pack;
		in->dst = destination(p, t, 0, &in->mask);
		expect(p, ",");
		vector(p, in, each, 0, 0);
	}
}

static const entry *lookup(const char *mnemonic) {
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (!strcmp(table[i].text, mnemonic))
			return &table[i];
	return NULL;
}

// computes reads an instruction of the table.
static void computes(parser *p, insn *in, char *mnemonic) {
	if (!strncmp(mnemonic, "setp.", 5)) { // setp.lt.and.u32 stands in the table as setp.lt.u32
		char *modifier = strchr(mnemonic + 5, '.');
		const char *rest = modifier;
		int boolean = rest ? next_part(&rest, "and or xor") : 0;
		if (boolean) {
			in->boolean = (u8)" &|^"[boolean];
			memmove(modifier, rest, strlen(rest) + 1);
		}
	}
	const entry *e = lookup(mnemonic);
	if (!e)
		parse_error(p, "the instruction %s is not known", mnemonic);
	in->op = e->op;
	if (e->compares) {
		compare(p, in, e->types[1]);
		return;
	}
	if (!strncmp(mnemonic, "mov.b", 5) && (is(p, "{") || strcspn(p->text, "{") < strcspn(p->text, ";"))) {
		pack_unpack(p, in, e->types[0]);
		return;
	}
	int wider = !strncmp(mnemonic, "cvt.", 4);
	int *operands[] = {&in->a, &in->b, &in->c, &in->d};
	in->dst = destination(p, e->types[0], wider, &in->mask);
	for (int i = 0; i < e->sources; i++) {
		expect(p, ",");
		*operands[i] = source(p, e->types[i + 1], wider);
	}
}

void decode(parser *p) {
	insn in = {.text = p->text, .line = p->line, .guard = -1, .dst2 = -1};
	ptx_function *f = p->f;
	type t;
	if (take(p, "@")) {
		in.negated = (u8)take(p, "!");
		in.guard = register_at(p, &t);
		check_type(p, t, T_pred, 0);
	}
	char m[64];
	if (p->token != TOK_word || p->length >= sizeof m)
		parse_error(p, "'%.*s' stands where an instruction is expected", (int)p->length, p->text);
	memcpy(m, p->text, p->length);
	m[p->length] = 0;
	next_token(p);
	if (!strcmp(m, "ret") || !strcmp(m, "ret.uni") || !strcmp(m, "exit")) {
		in.op = OP_ret;
	} else if (!strcmp(m, "trap")) {
		in.op = OP_trap;
	} else if (!strcmp(m, "membar.cta") || !strcmp(m, "membar.gl") || !strcmp(m, "membar.sys")) {
		in.op = OP_fence;
	} else if (!strcmp(m, "bar.sync") || (!strcmp(m, "barrier.sync") && p->m->version >= 60)) {
		in.op = OP_bar;
		f->barriers = 1;
		if (parse_int(p) != 0 || !is(p, ";"))
			parse_error(p, "only barrier 0 of the whole block is supported");
	} else if (!strcmp(m, "bra") || !strcmp(m, "bra.uni")) {
		in.op = OP_bra;
		if (p->token != TOK_word)
			parse_error(p, "'%.*s' stands where a label is expected", (int)p->length, p->text);
		in.target = (u32)(p->text - in.text);
		next_token(p);
	} else if (!strncmp(m, "ld.", 3) || !strncmp(m, "st.", 3)) {
		load_store(p, &in, m);
	} else {
		computes(p, &in, m);
	}
	in.length = (u32)(p->text - in.text);
	if (!is(p, ";"))
		expect(p, ";");
	while (in.length && strchr(" \t\r\n", in.text[in.length - 1])) // between the last operand and the semicolon
		in.length--;
	next_token(p);
	f->code = grow(p, f->code, &f->n_code, sizeof *f->code);
	f->code[f->n_code - 1] = in;
}
