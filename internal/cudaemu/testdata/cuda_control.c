/* Options, faults and counters: what the tests set and ask. */
#include "emu.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pthread_mutex_t emu_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t emu_changed = PTHREAD_COND_INITIALIZER;
static char last_error[512];

int zarrbench_emulated(void) { return 1; }

void emu_complain(const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(last_error, sizeof last_error, format, args);
	va_end(args);
}

const char *emu_last_error(void) {
	static __thread char copy[sizeof last_error];
	pthread_mutex_lock(&emu_mutex);
	memcpy(copy, last_error, sizeof copy);
	pthread_mutex_unlock(&emu_mutex);
	return copy;
}

/* Options. Those of libcufile are known here too, so that EMU can be checked when it is read; a name that begins with "cufile." is always taken. */
struct option {
	const char *name;
	long initial, min, max, value;
};
static struct option options[64] = {
	{"devices", 1, 0, EMU_MAX_DEVICES, 0},
	{"memory", 8L << 30, 0, LONG_MAX, 0},   /* bytes a device */
	{"host_memory", 64L << 30, 0, LONG_MAX, 0}, /* bytes that can be pinned */
	{"lazy", 0, 0, 1, 0},
	{"delay_us", 0, 0, 1000000, 0},         /* before each queued item */
	{"poison", 1, 0, 1, 0},
	{"lost", 0, 0, 999, 0},                 /* setting it loses every device with this error */
	{"driver_version", 12090, 0, 99999, 0},
	{"rdma", 0, 0, 1, 0},                   /* attribute 116 */
	{"bar", 256L << 20, 0, LONG_MAX, 0},
	{"nvfs", 0, 0, 1, 0},
	{"compute_mode", 0, 0, 3, 0},           /* of every device */
	{"p2p", 0, 0, 1, 0},
};
enum { MAX_OPTIONS = sizeof options / sizeof *options };

static struct option *option(const char *name, int make) {
	int i;
	for (i = 0; i < MAX_OPTIONS && options[i].name; i++)
		if (!strcmp(options[i].name, name))
			return &options[i];
	if (!make || i == MAX_OPTIONS || strncmp(name, "cufile.", 7) || !name[7])
		return NULL;
	options[i] = (struct option){strdup(name), 0, LONG_MIN, LONG_MAX, 0};
	return &options[i];
}

long emu_opt_long(const char *name) {
	struct option *o = option(name, 0);
	return o ? o->value : 0;
}

int emu_opt(const char *name) { return (int)emu_opt_long(name); }

long emu_option(const char *name) {
	pthread_mutex_lock(&emu_mutex);
	long v = emu_opt_long(name);
	pthread_mutex_unlock(&emu_mutex);
	return v;
}

int emu_set(const char *name, long value) {
	pthread_mutex_lock(&emu_mutex);
	struct option *o = option(name, 1);
	int ok = o && value >= o->min && value <= o->max;
	if (ok) {
		o->value = value;
		if (!strcmp(name, "compute_mode"))
			for (int d = 0; d < EMU_MAX_DEVICES; d++)
				emu_hold(d);
		if (!strcmp(name, "lost"))
			for (int d = 0; d < EMU_MAX_DEVICES; d++)
				emu_lose(d, (int)value);
	}
	pthread_cond_broadcast(&emu_changed);
	pthread_mutex_unlock(&emu_mutex);
	return ok ? 0 : -1;
}

/* Faults. */
struct fault {
	struct fault *next;
	long code, cu, after, times;
	char call[];
};
static struct fault *faults;

int emu_fault_locked(const char *call, long *code, long *cu) {
	for (struct fault *f = faults; f; f = f->next) {
		if (strcmp(f->call, call) || f->times == 0)
			continue;
		if (f->after > 0) {
			f->after--;
			continue;
		}
		if (f->times > 0)
			f->times--;
		*code = f->code;
		*cu = f->cu;
		return 1;
	}
	return 0;
}

int emu_take_fault(const char *call, long *code, long *cu) {
	pthread_mutex_lock(&emu_mutex);
	int taken = emu_fault_locked(call, code, cu);
	pthread_mutex_unlock(&emu_mutex);
	return taken;
}

static void forget(const char *call) {
	for (struct fault **p = &faults; *p;) {
		struct fault *f = *p;
		if (call && strcmp(f->call, call)) {
			p = &f->next;
			continue;
		}
		*p = f->next;
		free(f);
	}
}

/* emu_fail replaces the fault of a call; with times 0 there is none. */
int emu_fail(const char *call, long code, long cu, long after, long times) {
	if (!*call || after < 0 || times < -1)
		return -1;
	struct fault *f = calloc(1, sizeof *f + strlen(call) + 1);
	*f = (struct fault){.code = code, .cu = cu, .after = after, .times = times};
	strcpy(f->call, call);
	pthread_mutex_lock(&emu_mutex);
	forget(call);
	f->next = faults;
	faults = f;
	pthread_mutex_unlock(&emu_mutex);
	return 0;
}

/* Counters. */
struct counter {
	struct counter *next;
	long value;
	char name[];
};
static struct counter *counters; /* those of emu_add */
static struct emu_call *calls;
long emu_leaked, emu_freed_in_use, emu_damage_at_free, emu_spun;

static struct counter *counter(const char *name, int make) {
	for (struct counter *c = counters; c; c = c->next)
		if (!strcmp(c->name, name))
			return c;
	if (!make)
		return NULL;
	struct counter *c = calloc(1, sizeof *c + strlen(name) + 1);
	strcpy(c->name, name);
	c->next = counters;
	counters = c;
	return c;
}

void emu_add(const char *name, long n) {
	pthread_mutex_lock(&emu_mutex);
	counter(name, 1)->value += n;
	pthread_mutex_unlock(&emu_mutex);
}

static long contexts(void) {
	long n = 0;
	for (struct emu_object *o = emu_live[EMU_CONTEXT]; o; o = o->next)
		n += emu_devices[((struct emu_ctx *)o)->device].primary != (struct emu_ctx *)o;
	for (int d = 0; d < EMU_MAX_DEVICES; d++)
		n += emu_devices[d].retains;
	return n;
}

static long get(const char *name) {
	static const struct {
		const char *name;
		enum emu_memory a, b;
		int bytes;
	} memory[] = {
		{"allocs", EMU_DEVICE, EMU_MANAGED, 0}, {"alloc_bytes", EMU_DEVICE, EMU_MANAGED, 1},
		{"host_allocs", EMU_HOST, EMU_HOST, 0}, {"host_bytes", EMU_HOST, EMU_HOST, 1},
		{"registered", EMU_HOST_REGISTERED, EMU_HOST_REGISTERED, 0},
	};
	for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
		if (!strcmp(name, memory[i].name))
			return emu_alloc_count(memory[i].a, memory[i].bytes) + (memory[i].a == memory[i].b ? 0 : emu_alloc_count(memory[i].b, memory[i].bytes));
	if (!strcmp(name, "streams"))
		return emu_live_count(EMU_STREAM);
	if (!strcmp(name, "events"))
		return emu_live_count(EMU_EVENT);
	if (!strcmp(name, "modules"))
		return emu_live_count(EMU_MODULE);
	if (!strcmp(name, "contexts"))
		return contexts();
	if (!strcmp(name, "guard_damage"))
		return emu_guard_damage();
	if (!strcmp(name, "leaked"))
		return emu_leaked;
	if (!strcmp(name, "freed_in_use"))
		return emu_freed_in_use;
	if (!strcmp(name, "spins"))
		return emu_spun;
	if (!strcmp(name, "calls")) {
		long n = 0;
		for (struct emu_call *k = calls; k; k = k->next)
			n += k->count;
		return n;
	}
	struct counter *c = counter(name, 0);
	if (c)
		return c->value;
	if (!strncmp(name, "calls.", 6)) {
		for (struct emu_call *k = calls; k; k = k->next)
			if (!strcmp(k->name, name + 6))
				return k->count;
		return 0;
	}
	static const char *const late[] = {"handles", "buffers", "batches", "driver_opens", "registered_bytes"};
	for (size_t i = 0; i < sizeof late / sizeof *late; i++)
		if (!strcmp(name, late[i]))
			return 0;
	return LONG_MIN;
}

long emu_get(const char *name) {
	pthread_mutex_lock(&emu_mutex);
	long v = get(name);
	pthread_mutex_unlock(&emu_mutex);
	return v;
}

void emu_reset(void) {
	pthread_mutex_lock(&emu_mutex);
	for (int i = 0; i < MAX_OPTIONS && options[i].name; i++)
		options[i].value = options[i].initial;
	forget(NULL);
	for (struct emu_call *k = calls; k; k = k->next)
		k->count = 0;
	for (struct counter *c = counters; c; c = c->next)
		if (!strncmp(c->name, "calls.", 6))
			c->value = 0;
	emu_leaked = emu_freed_in_use = emu_damage_at_free = emu_spun = 0;
	for (int d = 0; d < EMU_MAX_DEVICES; d++) {
		emu_devices[d].lost = 0;
		emu_hold(d);
	}
	last_error[0] = 0;
	pthread_cond_broadcast(&emu_changed);
	pthread_mutex_unlock(&emu_mutex);
}

/* emu_enter. A fault comes before all other refusals, so that a test can fail any call. */
int emu_enter(struct emu_call *c, enum emu_need need) {
	pthread_mutex_lock(&emu_mutex);
	if (!c->next && calls != c) {
		struct emu_call **p = &calls;
		while (*p && *p != c)
			p = &(*p)->next;
		*p = c;
	}
	c->count++;
	struct emu_ctx *ctx = emu_current();
	long code, cu;
	if (emu_fault_locked(c->name, &code, &cu)) {
		if (ctx && emu_sticky((int)code))
			emu_lose(ctx->device, (int)code);
		if (code)
			return emu_leave((int)code);
	}
	if (need >= EMU_INITIALIZED && !emu_initialized)
		return emu_leave(E_NOT_INITIALIZED);
	if (need >= EMU_CURRENT) {
		if (!ctx)
			return emu_leave(E_INVALID_CONTEXT);
		if (!emu_lookup(EMU_CONTEXT, ctx))
			return emu_leave(E_DESTROYED);
		if (emu_devices[ctx->device].lost)
			return emu_leave(emu_devices[ctx->device].lost);
	}
	return 0;
}

int emu_leave(int rc) {
	pthread_mutex_unlock(&emu_mutex);
	return rc;
}

/* EMU is read when the library is loaded: "option=value,option=value;fail=call:code:cu:after:times;fail=...". */
static int number(char *s, long *v) {
	char *end;
	errno = 0;
	*v = strtol(s, &end, 10);
	return !errno && end != s && !*end;
}

static int setting(char *s) {
	char *value = strchr(s, '=');
	if (!value)
		return -1;
	*value++ = 0;
	long v[4];
	if (strcmp(s, "fail"))
		return number(value, v) ? emu_set(s, v[0]) : -1;
	for (int i = 3; i >= 0; i--) {
		char *colon = strrchr(value, ':');
		if (!colon || !number(colon + 1, &v[i]))
			return -1;
		*colon = 0;
	}
	return emu_fail(value, v[0], v[1], v[2], v[3]);
}

__attribute__((constructor)) static void start(void) {
	emu_reset();
	const char *env = getenv("EMU");
	if (!env)
		return;
	char *copy = strdup(env), *state = NULL;
	for (char *s = strtok_r(copy, ",;", &state); s; s = strtok_r(NULL, ",;", &state)) {
		char text[256];
		snprintf(text, sizeof text, "%s", s);
		if (setting(s)) {
			fprintf(stderr, "emulated libcuda: EMU has %s, which is no option with a value that it can have, and no fault\n", text);
			abort();
		}
	}
	free(copy);
}
