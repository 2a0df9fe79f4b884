// The interpreter: a launch, its blocks, their threads.
#include "ptx_internal.h"

#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A loop that goes back this often does not end.
#define MANY_TURNS (1ull << 32)

typedef struct launch {
	const ptx_function *f;
	const u8 *params;
	unsigned grid, block;
	atomic_uint next; // block to run
	atomic_int failed;
	char *err;
	size_t n;
} launch;

// What is known of a byte of shared memory: who wrote and who read it last, and between which barriers.
typedef struct history {
	u32 wrote, read;     // turns, counted from 1
	u16 writer, reader;  // threads; reader MANY is several
} history;

#define MANY 0xffff

// A worker runs one block after another.
typedef struct worker {
	launch *l;
	u64 *frames;    // of a thread, or of each thread where they meet at barriers
	u8 *written;    // for each slot, whether it holds a value
	u32 *at;        // where each thread goes on
	u8 *shared;
	history *past;  // of each byte of shared memory
	u32 slots;      // of a frame
	u32 turn;       // of the block, from barrier to barrier; never reset
	u32 block, thread;
	char what[192]; // the error
} worker;

static u8 get_pred(u64 v) { return (u8)v; }
#define GET(T) static T get_##T(u64 v) { return (T)v; }
#define PUT(T) static u64 put_##T(T v) { return (u64)(v); }
GET(u8) GET(s8) GET(b16) GET(u16) GET(s16) GET(b32) GET(u32) GET(s32) GET(b64) GET(u64) GET(s64)
PUT(pred) PUT(u8) PUT(s8) PUT(b16) PUT(u16) PUT(s16) PUT(b32) PUT(u32) PUT(s32) PUT(b64) PUT(u64) PUT(s64)
static f32 get_f32(u64 v) { u32 bits = (u32)v; f32 x; memcpy(&x, &bits, 4); return x; }
static f64 get_f64(u64 v) { f64 x; memcpy(&x, &v, 8); return x; }
static u64 put_f32(f32 x) { u32 bits; memcpy(&bits, &x, 4); return bits; }
static u64 put_f64(f64 x) { u64 bits; memcpy(&bits, &x, 8); return bits; }

static u64 reverse64(u64 v) {
	u64 r = 0;
	for (int i = 0; i < 64; i++, v >>= 1)
		r = r << 1 | (v & 1);
	return r;
}

// extract is bfe: the sign is that of the field's highest bit, or of a if the field reaches beyond it.
static u64 extract(u64 a, u32 at, u32 length, u32 width, int is_signed) {
	at &= 0xff, length &= 0xff;
	u64 sign = 0, r = 0;
	if (is_signed && length > 0)
		sign = a >> (at + length - 1 < width - 1 ? at + length - 1 : width - 1) & 1;
	for (u32 i = 0; i < width; i++)
		r |= (i < length && at + i < width ? a >> (at + i) & 1 : sign) << i;
	return r;
}

static u64 insert(u64 a, u64 b, u32 at, u32 length, u32 width) {
	at &= 0xff, length &= 0xff;
	for (u32 i = 0; i < length && at + i < width; i++)
		b = (b & ~(1ull << (at + i))) | (a >> i & 1) << (at + i);
	return b;
}

static u32 permute(u32 a, u32 b, u32 select) {
	u64 both = (u64)b << 32 | a;
	u32 r = 0;
	for (int i = 0; i < 4; i++) {
		u32 s = select >> 4 * i & 15, byte = (u32)(both >> 8 * (s & 7)) & 0xff;
		if (s & 8)
			byte = byte & 0x80 ? 0xff : 0;
		r |= byte << 8 * i;
	}
	return r;
}

static u32 lookup3(u32 a, u32 b, u32 c, u32 lut) {
	u32 r = 0;
	for (int i = 0; i < 8; i++)
		if (lut >> i & 1)
			r |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
	return r;
}

#define CLAMP(T, least, most, beyond) static T clamp_##T(f64 x) { return isnan(x) ? 0 : x <= (least) ? (T)(least) : x >= (beyond) ? (most) : (T)x; }
CLAMP(u16, 0.0, UINT16_MAX, 65536.0)
CLAMP(s16, -32768.0, INT16_MAX, 32768.0)
CLAMP(u32, 0.0, UINT32_MAX, 4294967296.0)
CLAMP(s32, -2147483648.0, INT32_MAX, 2147483648.0)
CLAMP(u64, 0.0, UINT64_MAX, 18446744073709551616.0)
CLAMP(s64, -9223372036854775808.0, INT64_MAX, 9223372036854775808.0)

// The values are volatile, so that no compiler moves the conversion out of its rounding.
#define ROUND(D, A) static D rounded_##D##_##A(A a, int mode) { int old = fegetround(); volatile A from = a; fesetround(mode); volatile D to = (D)from; fesetround(old); return to; }
ROUND(f32, u32) ROUND(f32, s32) ROUND(f32, u64) ROUND(f32, s64) ROUND(f32, f64) ROUND(f64, u64) ROUND(f64, s64)

enum outcome { ENDED, WAITS, FAILED };

static enum outcome complain(worker *w, const char *format, ...) __attribute__((format(printf, 2, 3), cold));
static enum outcome complain(worker *w, const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(w->what, sizeof w->what, format, args);
	va_end(args);
	return FAILED;
}

// report is the first error of a launch.
static void report(worker *w, u32 pc) {
	launch *l = w->l;
	const insn *in = &l->f->code[pc];
	if (!atomic_exchange(&l->failed, 1))
		snprintf(l->err, l->n, "%.*s, line %u, '%.*s', block %u, thread %u: %s", (int)l->f->length, l->f->name, in->line, (int)in->length, in->text, w->block, w->thread, w->what);
}

static enum outcome unwritten(worker *w, int slot) {
	for (u32 i = 0; i < w->l->f->n_regs; i++) {
		const reg_decl *r = &w->l->f->regs[i];
		if (!r->count && (u32)slot == r->first)
			return complain(w, "reads register %.*s, which holds no value", (int)r->length, r->name);
		if ((u32)slot >= r->first && (u32)slot < r->first + r->count)
			return complain(w, "reads register %.*s%u, which holds no value", (int)r->length, r->name, (u32)slot - r->first);
	}
	return complain(w, "reads a register which holds no value");
}

// locate returns where n bytes of global or shared memory lie, or NULL with a complaint.
static u8 *locate(worker *w, u64 addr, u32 n, int shared, int store) {
	const char *verb = store ? "writes" : "reads";
	if (addr % n) {
		complain(w, "%s %u bytes at %#llx, which is no multiple", verb, n, (unsigned long long)addr);
		return NULL;
	}
	if (!shared) {
		if (emu_check(addr, n))
			return (u8 *)(uintptr_t)addr;
		complain(w, "%s %u bytes at %#llx, outside device memory", verb, n, (unsigned long long)addr);
		return NULL;
	}
	if (addr >= w->l->f->shared_bytes || n > w->l->f->shared_bytes - addr) {
		complain(w, "%s %u bytes at %#llx of %llu bytes of shared memory", verb, n, (unsigned long long)addr, (unsigned long long)w->l->f->shared_bytes);
		return NULL;
	}
	for (history *h = w->past + addr; h < w->past + addr + n; h++) {
		if (h->wrote == w->turn && h->writer != w->thread) {
			complain(w, "%s shared memory that thread %u wrote, and no barrier is between them", verb, h->writer);
			return NULL;
		}
		if (store && h->read == w->turn && h->reader != w->thread) {
			complain(w, "writes shared memory that another thread read, and no barrier is between them");
			return NULL;
		}
		if (!store && h->wrote == 0) {
			complain(w, "reads shared memory that was never written");
			return NULL;
		}
		if (store) {
			h->wrote = w->turn;
			h->writer = (u16)w->thread;
		} else {
			h->reader = h->read == w->turn && h->reader != w->thread ? MANY : (u16)w->thread;
			h->read = w->turn;
		}
	}
	return w->shared + addr;
}

static u64 load(const u8 *from, u32 size, int sign) {
	switch (size) {
	case 1: return sign ? (u64)(s64)(s8)*from : *from;
	case 2: { u16 v; memcpy(&v, from, 2); return sign ? (u64)(s64)(s16)v : v; }
	case 4: { u32 v; memcpy(&v, from, 4); return sign ? (u64)(s64)(s32)v : v; }
	}
	u64 v;
	memcpy(&v, from, 8);
	return v;
}

static void store(u8 *to, u64 v, u32 size) {
	switch (size) {
	case 1: *to = (u8)v; break;
	case 2: { u16 x = (u16)v; memcpy(to, &x, 2); break; }
	case 4: { u32 x = (u32)v; memcpy(to, &x, 4); break; }
	default: memcpy(to, &v, 8);
	}
}

// run runs a thread until it ends, waits or fails. pc is where it begins, and where it stopped.
static enum outcome run(worker *w, u64 *s, u8 *written, u32 *pc) {
	const ptx_function *f = w->l->f;
	const insn *code = f->code, *end = code + f->n_code, *in = code + *pc;
	u64 turns = 0;
	enum outcome o = ENDED;
	for (; in < end; in++) {
		if (in->guard >= 0) {
			if (!written[in->guard]) {
				o = unwritten(w, in->guard);
				goto stop;
			}
			if (s[in->guard] == in->negated)
				continue;
		}
#define READ(T, x, slot) if (!written[slot]) { o = unwritten(w, slot); goto stop; } T x = get_##T(s[slot])
#define WRITE(slot, v) s[slot] = (v), written[slot] = 1
#define RESULT(D, e) const char *bad = NULL; D r = (D)(e); if (bad) { o = complain(w, "%s", bad); goto stop; } WRITE(in->dst, put_##D(r) & in->mask); break
		switch (in->op) {
#define OP1(id, text, D, A, x) case OP_##id: { READ(A, a, in->a); RESULT(D, x); }
#define OP2(id, text, D, A, B, x) case OP_##id: { READ(A, a, in->a); READ(B, b, in->b); RESULT(D, x); }
#define OP3(id, text, D, A, B, C, x) case OP_##id: { READ(A, a, in->a); READ(B, b, in->b); READ(C, c, in->c); RESULT(D, x); }
#define OP4(id, text, D, A, B, C, E, x) case OP_##id: { READ(A, a, in->a); READ(B, b, in->b); READ(C, c, in->c); READ(E, e, in->d); RESULT(D, x); }
#define SETP(id, text, T, x) case OP_##id: { READ(T, a, in->a); READ(T, b, in->b); pred p = (x) != 0, q = !p; \
	if (in->boolean) { READ(pred, c, in->c); c ^= in->c_negated; \
		p = in->boolean == '&' ? p & c : in->boolean == '|' ? p | c : p ^ c; q = in->boolean == '&' ? q & c : in->boolean == '|' ? q | c : q ^ c; } \
	WRITE(in->dst, p); if (in->dst2 >= 0) { WRITE(in->dst2, q); } break; }
#include "ptx_ops.h"
		case OP_ld_param: {
			for (u32 i = 0; i < in->vector; i++) {
				WRITE(in->v[i], load(w->l->params + in->offset + i * in->size, in->size, in->sign) & in->mask);
			}
			break;
		}
		case OP_ld_global: case OP_ld_shared: case OP_ld_generic: {
			READ(u64, addr, in->a);
			addr += (u64)in->offset;
			int shared = in->op == OP_ld_shared || (in->op == OP_ld_generic && addr >= SHARED_WINDOW && addr < SHARED_WINDOW + f->shared_bytes);
			const u8 *from = locate(w, in->op == OP_ld_generic && shared ? addr - SHARED_WINDOW : addr, in->size * in->vector, shared, 0);
			if (!from) {
				o = FAILED;
				goto stop;
			}
			for (u32 i = 0; i < in->vector; i++, from += in->size) {
				WRITE(in->v[i], load(from, in->size, in->sign) & in->mask);
			}
			break;
		}
		case OP_st_global: case OP_st_shared: case OP_st_generic: {
			READ(u64, addr, in->a);
			addr += (u64)in->offset;
			for (u32 i = 0; i < in->vector; i++) {
				READ(u64, v, in->v[i]);
				(void)v;
			}
			int shared = in->op == OP_st_shared || (in->op == OP_st_generic && addr >= SHARED_WINDOW && addr < SHARED_WINDOW + f->shared_bytes);
			u8 *to = locate(w, in->op == OP_st_generic && shared ? addr - SHARED_WINDOW : addr, in->size * in->vector, shared, 1);
			if (!to) {
				o = FAILED;
				goto stop;
			}
			for (u32 i = 0; i < in->vector; i++, to += in->size)
				store(to, s[in->v[i]], in->size);
			break;
		}
		case OP_pack: {
			u64 whole = 0;
			for (u32 i = 0; i < in->vector; i++) {
				READ(u64, v, in->v[i]);
				whole |= v << 8 * in->size * i;
			}
			WRITE(in->dst, whole);
			break;
		}
		case OP_unpack: {
			READ(u64, a, in->a);
			for (u32 i = 0; i < in->vector; i++) {
				WRITE(in->v[i], a >> 8 * in->size * i & in->mask);
			}
			break;
		}
		case OP_bra:
			if (code + in->target <= in && ++turns == MANY_TURNS) {
				o = complain(w, "the loop does not end");
				goto stop;
			}
			in = code + in->target - 1;
			break;
		case OP_bar:
			o = WAITS;
			goto stop;
		case OP_ret:
			goto stop;
		case OP_fence:
			break;
		default: // OP_trap
			o = complain(w, "the program stops itself");
			goto stop;
		}
	}
	in--; // past the last instruction, which is an end as good as ret
stop:
	*pc = (u32)(in - code);
	return o;
}

// start makes a frame that of a thread at its first instruction.
static void start(worker *w, u64 *s, u8 *written, u32 thread) {
	const ptx_function *f = w->l->f;
	memset(written, 0, f->slots);
	memset(written + f->slots, 1, w->slots - f->slots);
	u64 *special = s + f->slots;
	memset(special, 0, SPECIALS * sizeof *special);
	special[TID] = thread;
	special[NTID] = w->l->block;
	special[CTAID] = w->block;
	special[NCTAID] = w->l->grid;
	special[NTID + 1] = special[NTID + 2] = special[NCTAID + 1] = special[NCTAID + 2] = 1;
	special[LANEID] = thread % 32;
	if (f->n_consts)
		memcpy(special + SPECIALS, f->consts, f->n_consts * sizeof *special);
}

// run_apart runs a block whose threads never meet, one after another in one frame.
static int run_apart(worker *w) {
	for (w->thread = 0; w->thread < w->l->block; w->thread++) {
		u32 pc = 0;
		start(w, w->frames, w->written, w->thread);
		if (run(w, w->frames, w->written, &pc) == FAILED) {
			report(w, pc);
			return -1;
		}
	}
	return 0;
}

// run_together runs the threads of a block from barrier to barrier. Every other turn they run in the opposite order.
static int run_together(worker *w) {
	u32 block = w->l->block;
	for (u32 i = 0; i < block; i++) {
		start(w, w->frames + (size_t)i * w->slots, w->written + (size_t)i * w->slots, i);
		w->at[i] = 0;
	}
	for (;;) {
		u32 waiting = 0, ended = 0;
		for (u32 i = 0; i < block; i++) {
			w->thread = w->turn & 1 ? i : block - 1 - i;
			u32 *pc = &w->at[w->thread];
			enum outcome o = run(w, w->frames + (size_t)w->thread * w->slots, w->written + (size_t)w->thread * w->slots, pc);
			if (o == WAITS && !ended && (i == 0 || *pc + 1 == w->at[w->turn & 1 ? i - 1 : block - i])) {
				waiting++;
				++*pc;
			} else if (o == WAITS) {
				complain(w, "waits at this barrier, and thread %u does not", w->turn & 1 ? i - 1 : block - i);
				o = FAILED;
			} else if (o == ENDED && waiting) {
				complain(w, "ends here, while thread %u waits at a barrier", w->turn & 1 ? i - 1 : block - i);
				o = FAILED;
			}
			if (o == FAILED) {
				report(w, *pc);
				return -1;
			}
			ended += o == ENDED;
		}
		w->turn++;
		if (ended == block)
			return 0;
	}
}

static void *work(void *arg) {
	launch *l = arg;
	const ptx_function *f = l->f;
	size_t frames = f->barriers ? l->block : 1;
	worker w = {.l = l, .slots = f->slots + SPECIALS + f->n_consts, .turn = 1};
	w.frames = malloc(frames * w.slots * sizeof *w.frames);
	w.written = malloc(frames * w.slots);
	w.at = malloc(frames * sizeof *w.at);
	w.shared = malloc(f->shared_bytes + 1);
	w.past = calloc(f->shared_bytes + 1, sizeof *w.past);
	if (!w.frames || !w.written || !w.at || !w.shared || !w.past) {
		if (!atomic_exchange(&l->failed, 1))
			snprintf(l->err, l->n, "out of memory");
	}
	while (!atomic_load(&l->failed) && (w.block = atomic_fetch_add(&l->next, 1)) < l->grid) {
		memset(w.past, 0, f->shared_bytes * sizeof *w.past);
		if ((f->barriers ? run_together(&w) : run_apart(&w)) != 0)
			break;
		w.turn++;
	}
	free(w.frames), free(w.written), free(w.at), free(w.shared), free(w.past);
	return NULL;
}

int ptx_launch(ptx_function *f, unsigned grid, unsigned block, void **params, char *err, size_t n) {
	if (grid == 0 || grid > INT32_MAX || block == 0 || block > 1024) {
		snprintf(err, n, "%.*s: a grid of %u blocks of %u threads", (int)f->length, f->name, grid, block);
		return -1;
	}
	if (f->max_threads && (f->exact ? block != f->max_threads : block > f->max_threads)) {
		snprintf(err, n, "%.*s: blocks of %u threads, and it was made for %u", (int)f->length, f->name, block, f->max_threads);
		return -1;
	}
	u8 *values = calloc(1, f->param_bytes + 1);
	if (!values) {
		snprintf(err, n, "out of memory");
		return -1;
	}
	for (u32 i = 0; i < f->n_params; i++)
		memcpy(values + f->params[i].offset, params[i], f->params[i].size);
	launch l = {.f = f, .params = values, .grid = grid, .block = block, .err = err, .n = n};
	pthread_t helpers[3];
	int started = 0, most = grid < 4 ? 0 : (int)sysconf(_SC_NPROCESSORS_ONLN) - 1;
	while (started < most && started < 3 && pthread_create(&helpers[started], NULL, work, &l) == 0)
		started++;
	work(&l);
	for (int i = 0; i < started; i++)
		pthread_join(helpers[i], NULL);
	free(values);
	return atomic_load(&l.failed) ? -1 : 0;
}
