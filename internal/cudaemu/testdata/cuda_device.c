/* Devices, contexts, and the objects that contexts own. */
#include "emu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int emu_initialized;
struct emu_device emu_devices[EMU_MAX_DEVICES];
struct emu_object *emu_live[EMU_KINDS];
static struct emu_object *retired; /* kept, so that no address is the handle of two objects */

/* The context stack of each thread. */
enum { MAX_STACK = 64 };
static __thread struct emu_ctx *stack[MAX_STACK];
static __thread int depth;

void *emu_new(enum emu_kind kind, size_t size, struct emu_ctx *ctx) {
	struct emu_object *o = calloc(1, size);
	o->kind = kind;
	o->ctx = ctx;
	o->next = emu_live[kind];
	emu_live[kind] = o;
	return o;
}

void *emu_lookup(enum emu_kind kind, const void *handle) {
	for (struct emu_object *o = emu_live[kind]; o; o = o->next)
		if (o == handle)
			return o;
	return NULL;
}

void emu_retire(void *object) {
	struct emu_object *o = object, **p = &emu_live[o->kind];
	while (*p != o)
		p = &(*p)->next;
	*p = o->next;
	o->next = retired;
	retired = o;
}

long emu_live_count(enum emu_kind kind) {
	long n = 0;
	for (struct emu_object *o = emu_live[kind]; o; o = o->next)
		/* the legacy stream comes with its context */
		n += kind != EMU_STREAM || o->ctx->legacy != (struct emu_stream *)o;
	return n;
}

struct emu_ctx *emu_current(void) { return depth > 0 ? stack[depth - 1] : NULL; }

/* The errors after which a context, and here its device, is of no more use. */
int emu_sticky(int code) { return code == 214 || code == 220 || code == 700 || code == 702 || code == 710 || (code >= 714 && code <= 719); }

void emu_lose(int device, int code) {
	emu_devices[device].lost = code;
	if (code)
		for (struct emu_object *o = emu_live[EMU_CONTEXT]; o; o = o->next)
			if (((struct emu_ctx *)o)->device == device)
				emu_drop_work((struct emu_ctx *)o);
	pthread_cond_broadcast(&emu_changed);
}

int emu_lost(int device) {
	pthread_mutex_lock(&emu_mutex);
	int code = device >= 0 && device < EMU_MAX_DEVICES ? emu_devices[device].lost : 0;
	pthread_mutex_unlock(&emu_mutex);
	return code;
}

static int valid(int device) { return device >= 0 && device < emu_opt("devices"); }

int cuInit(unsigned flags) {
	EMU_ENTER(EMU_NOTHING);
	if (flags)
		return emu_leave(E_INVALID_VALUE);
	if (!emu_opt("devices"))
		return emu_leave(E_NO_DEVICE);
	emu_initialized = 1;
	return emu_leave(0);
}

int cuDriverGetVersion(int *version) {
	EMU_ENTER(EMU_NOTHING);
	if (!version)
		return emu_leave(E_INVALID_VALUE);
	*version = emu_opt("driver_version");
	return emu_leave(0);
}

int cuDeviceGetCount(int *n) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!n)
		return emu_leave(E_INVALID_VALUE);
	*n = emu_opt("devices");
	return emu_leave(0);
}

int cuDeviceGet(int *device, int ordinal) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!device)
		return emu_leave(E_INVALID_VALUE);
	if (!valid(ordinal))
		return emu_leave(E_INVALID_DEVICE);
	*device = ordinal;
	return emu_leave(0);
}

int cuDeviceGetName(char *s, int n, int device) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!s || n < 1)
		return emu_leave(E_INVALID_VALUE);
	if (!valid(device))
		return emu_leave(E_INVALID_DEVICE);
	snprintf(s, (size_t)n, "Emulated GPU %d (host memory)", device);
	return emu_leave(0);
}

int cuDeviceGetUuid_v2(unsigned char *id, int device) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!id)
		return emu_leave(E_INVALID_VALUE);
	if (!valid(device))
		return emu_leave(E_INVALID_DEVICE);
	memcpy(id, "emulated GPU    ", 16);
	id[15] = (unsigned char)('0' + device);
	return emu_leave(0);
}

int cuDeviceTotalMem_v2(size_t *n, int device) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!n)
		return emu_leave(E_INVALID_VALUE);
	if (!valid(device))
		return emu_leave(E_INVALID_DEVICE);
	*n = (size_t)emu_opt_long("memory");
	return emu_leave(0);
}

int cuDeviceGetPCIBusId(char *s, int n, int device) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!s || n < 13)
		return emu_leave(E_INVALID_VALUE);
	if (!valid(device))
		return emu_leave(E_INVALID_DEVICE);
	snprintf(s, (size_t)n, "0000:%02x:00.0", device + 1);
	return emu_leave(0);
}

int cuDeviceGetAttribute(int *v, int which, int device) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!v || which < 1 || which > 256)
		return emu_leave(E_INVALID_VALUE);
	if (!valid(device))
		return emu_leave(E_INVALID_DEVICE);
	switch (which) {
	case 1: case 2: case 3: *v = 1024; break; /* threads of a block, and in x and y */
	case 4: *v = 64; break;
	case 5: *v = INT32_MAX; break;            /* blocks of a grid in x, y, z */
	case 6: case 7: *v = 65535; break;
	case 8: *v = 48 << 10; break;             /* shared memory of a block */
	case 9: *v = 64 << 10; break;             /* constant memory */
	case 10: *v = 32; break;                  /* threads of a warp */
	case 11: *v = INT32_MAX; break;           /* pitch */
	case 12: *v = 65536; break;               /* registers of a block */
	case 20: *v = emu_opt("compute_mode"); break;
	case 15: case 41: case 83: *v = 1; break; /* overlap, unified addressing, managed memory */
	case 16: *v = 80; break;                  /* multiprocessors */
	case 33: *v = device + 1; break;          /* PCI bus; device (34) and domain (50) are 0 */
	case 39: *v = 2048; break;                /* threads of a multiprocessor */
	case 40: *v = 2; break;                   /* copy engines */
	case 75: *v = 8; break;                   /* compute capability */
	case 76: *v = 6; break;
	case 116: *v = emu_opt("rdma"); break;
	default: *v = 0;
	}
	return emu_leave(0);
}

int cuDeviceCanAccessPeer(int *can, int a, int b) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!can)
		return emu_leave(E_INVALID_VALUE);
	if (!valid(a) || !valid(b))
		return emu_leave(E_INVALID_DEVICE);
	*can = 0;
	return emu_leave(0);
}

static struct emu_ctx *context(int device, unsigned flags) {
	struct emu_ctx *c = emu_new(EMU_CONTEXT, sizeof *c, NULL);
	c->device = device;
	c->flags = flags;
	c->legacy = emu_stream_new(c, 0);
	return c;
}

/* destroy ends a context with all that it owns. Queued work that nobody waited for is dropped; what its owner hasn't freed counts as leaked, except on a
 * device that was lost, where nothing can be freed. */
static void destroy(struct emu_ctx *c) {
	int lost = emu_devices[c->device].lost;
	emu_drop_work(c);
	emu_await_idle(c);
	emu_free_context_memory(c);
	for (enum emu_kind kind = EMU_STREAM; kind <= EMU_MODULE; kind++)
		for (struct emu_object *o = emu_live[kind], *next; o; o = next) {
			next = o->next;
			if (o->ctx != c)
				continue;
			if (!lost && o != (struct emu_object *)c->legacy)
				emu_leaked++;
			if (kind == EMU_STREAM)
				emu_stream_destroy((struct emu_stream *)o);
			else if (kind == EMU_MODULE)
				emu_module_destroy(o);
			else
				emu_retire(o);
		}
	emu_retire(c);
	pthread_cond_broadcast(&emu_changed);
}

int cuDevicePrimaryCtxRetain(void **out, int device) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!out)
		return emu_leave(E_INVALID_VALUE);
	if (!valid(device))
		return emu_leave(E_INVALID_DEVICE);
	struct emu_device *d = &emu_devices[device];
	if (!d->primary) {
		if (emu_opt("compute_mode") == EMU_PROHIBITED || emu_held(device)) {
			emu_complain("device %d is another process's alone, or nobody's", device);
			return emu_leave(E_UNAVAILABLE);
		}
		d->primary = context(device, d->flags);
		emu_hold(device);
	}
	d->retains++;
	*out = d->primary;
	return emu_leave(0);
}

int cuDevicePrimaryCtxRelease_v2(int device) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!valid(device))
		return emu_leave(E_INVALID_DEVICE);
	struct emu_device *d = &emu_devices[device];
	if (!d->retains)
		return emu_leave(E_INVALID_CONTEXT);
	if (--d->retains == 0) {
		struct emu_ctx *c = d->primary;
		d->primary = NULL;
		emu_hold(device);
		destroy(c);
	}
	return emu_leave(0);
}

int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!flags || !active)
		return emu_leave(E_INVALID_VALUE);
	if (!valid(device))
		return emu_leave(E_INVALID_DEVICE);
	*active = emu_devices[device].primary != NULL;
	*flags = emu_devices[device].flags;
	return emu_leave(0);
}

/* cuDevicePrimaryCtxSetFlags changes a context that is in use too, from CUDA 11 on. */
int cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) {
	EMU_ENTER(EMU_INITIALIZED);
	if ((flags & 7) > 4 || (flags & 7) == 3 || flags & ~0xffu)
		return emu_leave(E_INVALID_VALUE);
	if (!valid(device))
		return emu_leave(E_INVALID_DEVICE);
	struct emu_device *d = &emu_devices[device];
	if (d->primary && emu_opt("driver_version") < 11000)
		return emu_leave(E_ACTIVE);
	d->flags = flags;
	if (d->primary)
		d->primary->flags = flags;
	return emu_leave(0);
}

/* Of the ways to wait (the low bits of the flags), CU_CTX_SCHED_BLOCKING_SYNC sleeps and CU_CTX_SCHED_YIELD gives others the core.
 * CU_CTX_SCHED_AUTO, 0, spins where there are as many cores as contexts. */
int emu_spins(const struct emu_ctx *c) { return (c->flags & 7) <= 1; }

int cuCtxCreate_v2(void **out, unsigned flags, int device) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!out || depth == MAX_STACK)
		return emu_leave(E_INVALID_VALUE);
	if (!valid(device))
		return emu_leave(E_INVALID_DEVICE);
	if (emu_devices[device].lost)
		return emu_leave(emu_devices[device].lost);
	stack[depth++] = *out = context(device, flags);
	return emu_leave(0);
}

int cuCtxDestroy_v2(void *handle) {
	EMU_ENTER(EMU_INITIALIZED);
	struct emu_ctx *c = emu_lookup(EMU_CONTEXT, handle);
	if (!c || emu_devices[c->device].primary == c)
		return emu_leave(E_INVALID_CONTEXT);
	if (emu_current() == c)
		depth--;
	destroy(c);
	return emu_leave(0);
}

int cuCtxSetCurrent(void *handle) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!handle) {
		if (depth > 0)
			depth--;
		return emu_leave(0);
	}
	struct emu_ctx *c = emu_lookup(EMU_CONTEXT, handle);
	if (!c)
		return emu_leave(E_INVALID_CONTEXT);
	if (depth == 0)
		depth = 1;
	stack[depth - 1] = c;
	return emu_leave(0);
}

int cuCtxGetCurrent(void **out) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!out)
		return emu_leave(E_INVALID_VALUE);
	*out = emu_current();
	return emu_leave(0);
}

int cuCtxPushCurrent_v2(void *handle) {
	EMU_ENTER(EMU_INITIALIZED);
	struct emu_ctx *c = emu_lookup(EMU_CONTEXT, handle);
	if (!c)
		return emu_leave(E_INVALID_CONTEXT);
	if (depth == MAX_STACK)
		return emu_leave(E_INVALID_VALUE);
	stack[depth++] = c;
	return emu_leave(0);
}

int cuCtxPopCurrent_v2(void **out) {
	EMU_ENTER(EMU_INITIALIZED);
	if (depth == 0)
		return emu_leave(E_INVALID_CONTEXT);
	depth--;
	if (out)
		*out = stack[depth];
	return emu_leave(0);
}

int cuCtxGetDevice(int *device) {
	EMU_ENTER(EMU_INITIALIZED);
	struct emu_ctx *c = emu_lookup(EMU_CONTEXT, emu_current());
	if (!c || !device)
		return emu_leave(c ? E_INVALID_VALUE : E_INVALID_CONTEXT);
	*device = c->device;
	return emu_leave(0);
}

int cuCtxGetStreamPriorityRange(int *least, int *greatest) {
	EMU_ENTER(EMU_CURRENT);
	if (least)
		*least = 0;
	if (greatest)
		*greatest = -5;
	return emu_leave(0);
}

int cuCtxEnablePeerAccess(void *peer, unsigned flags) {
	(void)peer, (void)flags;
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(E_PEER_UNSUPPORTED);
}

int cuCtxSynchronize(void) {
	EMU_ENTER(EMU_CURRENT);
	emu_spun += emu_spins(emu_current());
	return emu_leave(emu_drive_context(emu_current()));
}
