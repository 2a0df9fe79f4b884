// The reader of PTX: tokens, the directives of a module, and the declarations of its kernels.
#include "ptx_internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const type_names[T_count] = {"", "pred", "b8", "u8", "s8", "b16", "u16", "s16", "b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64"};

int type_size(type t) { return t >= T_b64 ? 8 : t >= T_b32 ? 4 : t >= T_b16 ? 2 : t >= T_b8 ? 1 : 0; }
int type_signed(type t) { return t == T_s8 || t == T_s16 || t == T_s32 || t == T_s64; }
int type_float(type t) { return t == T_f32 || t == T_f64; }

type parse_type(const char *text, size_t length) {
	for (int t = T_none + 1; t < T_count; t++)
		if (strlen(type_names[t]) == length && !memcmp(type_names[t], text, length))
			return t;
	return T_none;
}

void parse_error(parser *p, const char *format, ...) {
	char what[256];
	va_list args;
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	snprintf(p->err, p->n, "line %u: %s", p->line, what);
	longjmp(p->failed, 1);
}

// grow returns the array with room for one element more, which it zeroes, and counts it.
void *grow(parser *p, void *array, u32 *count, size_t size) {
	if ((*count & (*count - 1)) == 0) { // a power of two, or none: full
		void *more = realloc(array, (*count ? 2 * (size_t)*count : 1) * size);
		if (!more)
			parse_error(p, "out of memory");
		array = more;
	}
	memset((char *)array + *count * size, 0, size);
	++*count;
	return array;
}

static int word_char(int c) { return isalnum(c) || c == '_' || c == '$' || c == '%' || c == '.'; }

static void skip_space(parser *p) {
	for (;; p->p++) {
		if (*p->p == '\n') {
			p->line++;
		} else if (p->p[0] == '/' && p->p[1] == '/') {
			while (p->p[1] && p->p[1] != '\n')
				p->p++;
		} else if (p->p[0] == '/' && p->p[1] == '*') {
			for (p->p += 2; !(p->p[0] == '*' && p->p[1] == '/'); p->p++) {
				if (!*p->p)
					parse_error(p, "a comment does not end");
				p->line += *p->p == '\n';
			}
			p->p++;
		} else if (!isspace((unsigned char)*p->p)) {
			return;
		}
	}
}

static void number(parser *p) {
	int base = 10, digits = 0;
	p->token = TOK_int;
	if (p->p[0] == '0' && strchr("xXfFdD", p->p[1]) && p->p[1]) {
		char kind = (char)tolower((unsigned char)p->p[1]);
		base = 16;
		p->p += 2;
		if (kind != 'x') {
			p->token = TOK_float;
			p->wide = kind == 'd';
		}
	} else if (p->p[0] == '0' && isdigit((unsigned char)p->p[1])) {
		parse_error(p, "an octal number");
	}
	for (p->value = 0; isxdigit((unsigned char)*p->p); p->p++, digits++) {
		u64 digit = isdigit((unsigned char)*p->p) ? (u64)(*p->p - '0') : (u64)(tolower((unsigned char)*p->p) - 'a' + 10);
		if (digit >= (u64)base || p->value > (UINT64_MAX - digit) / (u64)base)
			parse_error(p, "a bad number");
		p->value = p->value * (u64)base + digit;
	}
	if (p->token == TOK_float && digits != (p->wide ? 16 : 8))
		parse_error(p, "a float of %d digits", digits);
	if (p->token == TOK_int && *p->p == 'U')
		p->p++;
	if (!digits || word_char((unsigned char)*p->p))
		parse_error(p, "a bad number");
}

void next_token(parser *p) {
	skip_space(p);
	p->text = p->p;
	if (!*p->p) {
		p->token = TOK_end;
	} else if (isdigit((unsigned char)*p->p)) {
		number(p);
	} else if (*p->p == '"') {
		for (p->p++; *p->p != '"'; p->p++)
			if (!*p->p || *p->p == '\n')
				parse_error(p, "a string does not end");
		p->p++;
		p->token = TOK_string;
	} else if (word_char((unsigned char)*p->p)) {
		while (word_char((unsigned char)*p->p))
			p->p++;
		p->token = TOK_word;
	} else if (strchr(",;:[]{}()<>@!|+-=", *p->p)) {
		p->p++;
		p->token = TOK_punct;
	} else {
		parse_error(p, "the character %#x", (unsigned char)*p->p);
	}
	p->length = (size_t)(p->p - p->text);
}

int is(const parser *p, const char *text) {
	return (p->token == TOK_word || p->token == TOK_punct) && strlen(text) == p->length && !memcmp(text, p->text, p->length);
}

int take(parser *p, const char *text) {
	if (!is(p, text))
		return 0;
	next_token(p);
	return 1;
}

void expect(parser *p, const char *text) {
	if (!take(p, text))
		parse_error(p, "'%.*s' stands where '%s' is expected", (int)p->length, p->text, text);
}

s64 parse_int(parser *p) {
	int minus = take(p, "-");
	if (p->token != TOK_int)
		parse_error(p, "'%.*s' stands where a number is expected", (int)p->length, p->text);
	s64 v = (s64)(minus ? 0 - p->value : p->value);
	next_token(p);
	return v;
}

static u32 parse_count(parser *p, u64 least, u64 most) {
	s64 v = parse_int(p);
	if (v < (s64)least || v > (s64)most)
		parse_error(p, "%lld is not from %llu to %llu", (long long)v, (unsigned long long)least, (unsigned long long)most);
	return (u32)v;
}

// word takes a token that is a name.
static void word(parser *p, const char **name, size_t *length) {
	if (p->token != TOK_word || p->text[0] == '.')
		parse_error(p, "'%.*s' stands where a name is expected", (int)p->length, p->text);
	*name = p->text, *length = p->length;
	next_token(p);
}

static type directive_type(parser *p) {
	type t = p->token == TOK_word && p->text[0] == '.' ? parse_type(p->text + 1, p->length - 1) : T_none;
	if (t == T_none)
		parse_error(p, "'%.*s' stands where a type is expected", (int)p->length, p->text);
	next_token(p);
	return t;
}

static int same(const char *a, size_t n, const char *b, size_t m) { return n == m && !memcmp(a, b, n); }

int find_register(const ptx_function *f, const char *name, size_t length, type *t) {
	static const char *const specials[SPECIALS] = {"%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z",
		"%ctaid.x", "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z", "%laneid"};
	for (u32 i = 0; i < SPECIALS; i++)
		if (same(name, length, specials[i], strlen(specials[i]))) {
			*t = T_u32;
			return (int)(f->slots + i);
		}
	for (u32 i = 0; i < f->n_regs; i++) {
		const reg_decl *r = &f->regs[i];
		*t = r->type;
		if (!r->count && same(name, length, r->name, r->length))
			return (int)r->first;
		if (!r->count || length <= r->length || memcmp(name, r->name, r->length) || (name[r->length] == '0' && length > r->length + 1))
			continue;
		u64 number = 0;
		size_t k = r->length;
		for (; k < length && isdigit((unsigned char)name[k]) && number < r->count; k++)
			number = 10 * number + (u64)(name[k] - '0');
		if (k == length && number < r->count)
			return (int)(r->first + number);
	}
	return -1;
}

const variable *find_variable(const variable *v, u32 n, const char *name, size_t length) {
	for (u32 i = 0; i < n; i++)
		if (same(v[i].name, v[i].length, name, length))
			return &v[i];
	return NULL;
}

// declare_registers reads what follows .reg. All must stand before the first instruction, so that slots are known.
static void declare_registers(parser *p) {
	ptx_function *f = p->f;
	if (f->n_code)
		parse_error(p, ".reg behind instructions is not supported");
	type t = directive_type(p);
	do {
		const char *name;
		size_t length;
		u32 count = 0;
		word(p, &name, &length);
		if (take(p, "<")) {
			count = parse_count(p, 1, 1 << 16);
			expect(p, ">");
		}
		for (u32 i = 0; i < f->n_regs; i++)
			if (same(name, length, f->regs[i].name, f->regs[i].length))
				parse_error(p, "register %.*s stands twice", (int)length, name);
		f->regs = grow(p, f->regs, &f->n_regs, sizeof *f->regs);
		f->regs[f->n_regs - 1] = (reg_decl){name, length, t, f->slots, count};
		f->slots += count ? count : 1;
	} while (take(p, ","));
	expect(p, ";");
}

// declare_variable reads what follows .param or .shared, and puts the variable behind those before it.
static void declare_variable(parser *p, variable **list, u32 *n, u64 *bytes, int pointers) {
	u64 align = 0;
	if (take(p, ".align"))
		align = parse_count(p, 1, 128);
	type t = directive_type(p);
	if (!type_size(t))
		parse_error(p, "a variable of type .%s", type_names[t]);
	if (pointers && take(p, ".ptr")) { // what it points to: a hint
		if (!take(p, ".global"))
			take(p, ".shared");
		if (take(p, ".align"))
			parse_count(p, 1, 128);
	}
	variable v = {0};
	word(p, &v.name, &v.length);
	v.size = (u64)type_size(t);
	if (take(p, "[")) {
		v.size *= parse_count(p, 1, 1 << 20);
		expect(p, "]");
	}
	if (!align)
		align = (u64)type_size(t);
	if (align & (align - 1))
		parse_error(p, "an alignment of %llu", (unsigned long long)align);
	if (find_variable(*list, *n, v.name, v.length))
		parse_error(p, "%.*s stands twice", (int)v.length, v.name);
	v.offset = (*bytes + align - 1) & ~(align - 1);
	*bytes = v.offset + v.size;
	*list = grow(p, *list, n, sizeof **list);
	(*list)[*n - 1] = v;
}

static void body(parser *p) {
	ptx_function *f = p->f;
	expect(p, "{");
	while (!take(p, "}")) {
		if (take(p, ".reg")) {
			declare_registers(p);
		} else if (take(p, ".shared")) {
			declare_variable(p, &f->shared, &f->n_shared, &f->shared_bytes, 0);
			expect(p, ";");
		} else if (take(p, ".pragma")) {
			if (p->length != 10 || memcmp(p->text, "\"nounroll\"", 10))
				parse_error(p, "the pragma %.*s is not supported", (int)p->length, p->text);
			next_token(p);
			expect(p, ";");
		} else if (p->token == TOK_word && *p->p == ':') {
			for (u32 i = 0; i < f->n_labels; i++)
				if (same(p->text, p->length, f->labels[i].name, f->labels[i].length))
					parse_error(p, "the label %.*s stands twice", (int)p->length, p->text);
			f->labels = grow(p, f->labels, &f->n_labels, sizeof *f->labels);
			f->labels[f->n_labels - 1] = (label){p->text, p->length, f->n_code, p->line};
			next_token(p);
			expect(p, ":");
		} else {
			decode(p);
		}
	}
	// A branch's target is the index of its label until here.
	for (u32 i = 0; i < f->n_code; i++) {
		insn *in = &f->code[i];
		if (in->op != OP_bra)
			continue;
		u32 k = 0;
		while (k < f->n_labels && !same(f->labels[k].name, f->labels[k].length, in->text + in->target, in->length - in->target))
			k++;
		if (k == f->n_labels) {
			p->line = in->line;
			parse_error(p, "'%.*s' branches to no label", (int)in->length, in->text);
		}
		in->target = f->labels[k].at;
	}
	if (f->shared_bytes > 48 << 10)
		parse_error(p, "%.*s has %llu bytes of shared memory: a block may have 49152", (int)f->length, f->name, (unsigned long long)f->shared_bytes);
}

static void entry(parser *p) {
	ptx_function *f = calloc(1, sizeof *f);
	if (!f)
		parse_error(p, "out of memory");
	f->next = p->m->functions;
	p->m->functions = p->f = f;
	word(p, &f->name, &f->length);
	for (ptx_function *g = f->next; g; g = g->next)
		if (same(f->name, f->length, g->name, g->length))
			parse_error(p, "the kernel %.*s stands twice", (int)f->length, f->name);
	expect(p, "(");
	if (!take(p, ")")) {
		do {
			expect(p, ".param");
			declare_variable(p, &f->params, &f->n_params, &f->param_bytes, 1);
		} while (take(p, ","));
		expect(p, ")");
	}
	while (!is(p, "{")) {
		if (is(p, ".maxntid") || is(p, ".reqntid")) {
			f->exact = is(p, ".reqntid");
			next_token(p);
			f->max_threads = parse_count(p, 1, 1024);
			while (take(p, ","))
				f->max_threads *= parse_count(p, 1, 1);
		} else if (take(p, ".minnctapersm")) {
			parse_count(p, 1, 64);
		} else {
			parse_error(p, "'%.*s' is not supported", (int)p->length, p->text);
		}
	}
	body(p);
}

// targets lists architectures, and from which version of PTX on they may be asked for.
static const struct { int target, version; } targets[] = {{50, 40}, {52, 41}, {53, 42}, {60, 50}, {61, 50}, {62, 50}, {70, 60}, {72, 61},
	{75, 63}, {80, 70}, {86, 71}, {87, 74}, {89, 78}, {90, 78}, {100, 86}, {101, 86}, {103, 88}, {120, 87}, {121, 88}};

// The three directives that every module begins with, in their order.
static void header(parser *p) {
	if (!is(p, ".version"))
		expect(p, ".version");
	skip_space(p); // The number looks like no other in PTX: it is read here, as text.
	const char *v = p->p;
	if (v[0] < '4' || v[0] > '8' || v[1] != '.' || !isdigit((unsigned char)v[2]) || word_char((unsigned char)v[3]))
		parse_error(p, "the version is '%.*s', not from 4.0 to 8.9", (int)strcspn(v, " \t\r\n"), v);
	p->m->version = 10 * (v[0] - '0') + v[2] - '0';
	p->p += 3;
	next_token(p);
	char arch[16] = "";
	expect(p, ".target");
	snprintf(arch, sizeof arch, "%.*s", (int)p->length, p->text);
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		char name[16];
		snprintf(name, sizeof name, "sm_%d", targets[i].target);
		if (!strcmp(name, arch)) {
			if (p->m->version < targets[i].version)
				parse_error(p, "version %d.%d does not know the target %s", p->m->version / 10, p->m->version % 10, arch);
			p->m->target = targets[i].target;
		}
	}
	if (!p->m->target)
		parse_error(p, "the target '%s' is not known", arch);
	next_token(p);
	expect(p, ".address_size");
	if (parse_int(p) != 64)
		parse_error(p, "the address size is not 64");
}

int ptx_load(const char *image, ptx_module **out, char *err, size_t n) {
	parser p = {.err = err, .n = n, .line = 1};
	ptx_module *m = calloc(1, sizeof *m);
	if (!m || !(m->image = strdup(image))) {
		free(m);
		snprintf(err, n, "out of memory");
		return -1;
	}
	p.m = m;
	if (setjmp(p.failed)) {
		ptx_free(m);
		return -1;
	}
	p.p = m->image;
	next_token(&p);
	header(&p);
	while (p.token != TOK_end) {
		take(&p, ".visible");
		expect(&p, ".entry");
		entry(&p);
	}
	*out = m;
	return 0;
}

void ptx_free(ptx_module *m) {
	if (!m)
		return;
	for (ptx_function *f = m->functions, *next; f; f = next) {
		next = f->next;
		free(f->code), free(f->regs), free(f->params), free(f->shared), free(f->labels), free(f->consts), free(f);
	}
	free(m->image);
	free(m);
}

int ptx_target(const ptx_module *m) { return m->target; }
int ptx_version(const ptx_module *m) { return m->version; }
int ptx_params(const ptx_function *f) { return (int)f->n_params; }

ptx_function *ptx_find(ptx_module *m, const char *name) {
	for (ptx_function *f = m->functions; f; f = f->next)
		if (same(f->name, f->length, name, strlen(name)))
			return f;
	return NULL;
}
