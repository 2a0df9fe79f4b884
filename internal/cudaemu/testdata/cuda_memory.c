/* Device memory, pinned host memory, and what is known of a pointer. */
#define _GNU_SOURCE
#include "emu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static struct emu_alloc *allocs; /* by address */
static size_t nallocs, room;
static uint64_t ids;
static atomic_ulong generation = 1; /* of the table: changes when an allocation goes */

/* next_address is asked of the kernel for the next mapping. It only grows, so that the address of freed memory isn't used again soon, and a stale
 * pointer finds nothing. The range is one that neither programs nor the shadows of Go's race detector use. */
static uint64_t next_address = 0x400000000000;

static size_t index_of(uint64_t p) { /* of the first allocation after p */
	size_t lo = 0, hi = nallocs;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (allocs[mid].base <= p)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct emu_alloc *emu_alloc_at(uint64_t p) {
	size_t i = index_of(p);
	return i > 0 && p - allocs[i - 1].base < allocs[i - 1].size ? &allocs[i - 1] : NULL;
}

int emu_is_device(const struct emu_alloc *a) { return a && (a->kind == EMU_DEVICE || a->kind == EMU_MANAGED); }

long emu_alloc_count(enum emu_memory kind, int bytes) {
	long n = 0;
	for (size_t i = 0; i < nallocs; i++)
		if (allocs[i].kind == kind)
			n += bytes ? (long)allocs[i].size : 1;
	return n;
}

static void insert(struct emu_alloc a) {
	if (nallocs == room) {
		room = room ? 2 * room : 64;
		allocs = realloc(allocs, room * sizeof *allocs);
	}
	size_t i = index_of(a.base);
	memmove(allocs + i + 1, allocs + i, (nallocs - i) * sizeof *allocs);
	a.id = ++ids;
	allocs[i] = a;
	nallocs++;
}

static size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* skipped is how far from the start of a page an allocation begins. The driver cuts pinned memory of less than a huge page out of shared blocks. */
static size_t skipped(enum emu_memory kind, size_t size) { return kind == EMU_HOST && size < (2 << 20) ? 512 : 0; }

/* damaged reports whether something wrote between the ends of an allocation and those of its pages. What is beyond can't be written. */
static int damaged(const struct emu_alloc *a) {
	if (!a->map)
		return 0;
	size_t skip = skipped(a->kind, a->size), pages = up(skip + a->size, EMU_PAGE);
	const unsigned char *p = (const unsigned char *)a->base - skip;
	for (size_t i = 0; i < skip; i++)
		if (p[i] != EMU_PATTERN)
			return 1;
	for (size_t i = skip + a->size; i < pages; i++)
		if (p[i] != EMU_PATTERN)
			return 1;
	return 0;
}

long emu_guard_damage(void) {
	long n = emu_damage_at_free;
	for (size_t i = 0; i < nallocs; i++)
		n += damaged(&allocs[i]);
	return n;
}

static int map(size_t size, struct emu_alloc *a) {
	if (size > ((size_t)1 << 46))
		return E_OUT_OF_MEMORY;
	size_t span = 3 * (size_t)EMU_GRANULE + up(size, EMU_GRANULE);
	char *p = mmap((void *)next_address, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return E_OUT_OF_MEMORY;
	next_address += span;
	if (next_address >= 0x500000000000)
		next_address = 0x400000000000;
	char *base = (char *)up((size_t)p + EMU_GRANULE, EMU_GRANULE);
	size_t skip = skipped(a->kind, size), pages = up(skip + size, EMU_PAGE);
	if (mprotect(base, pages, PROT_READ | PROT_WRITE)) {
		munmap(p, span);
		return E_OUT_OF_MEMORY;
	}
	if (emu_opt("poison"))
		memset(base + skip, EMU_POISON, size);
	memset(base, EMU_PATTERN, skip);
	memset(base + skip + size, EMU_PATTERN, pages - skip - size);
	a->base = (uint64_t)base + skip;
	a->size = size;
	a->map = p;
	a->map_size = span;
	return 0;
}

/* pinned_bytes counts what can't be moved or swapped out. */
static uint64_t pinned_bytes(void) { return (uint64_t)(emu_alloc_count(EMU_HOST, 1) + emu_alloc_count(EMU_HOST_REGISTERED, 1)); }

static int allocate(enum emu_memory kind, size_t size, uint64_t *out) {
	struct emu_ctx *c = emu_current();
	struct emu_device *d = &emu_devices[c->device];
	if (!out || size == 0)
		return E_INVALID_VALUE;
	uint64_t used = kind == EMU_HOST ? pinned_bytes() : d->used;
	uint64_t limit = (uint64_t)emu_opt_long(kind == EMU_HOST ? "host_memory" : "memory");
	if (used > limit || size > limit - used)
		return E_OUT_OF_MEMORY;
	struct emu_alloc a = {.kind = kind, .ctx = c};
	int rc = map(size, &a);
	if (rc)
		return rc;
	insert(a);
	if (kind != EMU_HOST)
		d->used += size;
	*out = a.base;
	return 0;
}

/* unmapped reports whether registered memory, or some of it, was given back to the system while it was registered. */
static int unmapped(const struct emu_alloc *a) {
	if (a->kind != EMU_HOST_REGISTERED)
		return 0;
	uint64_t from = a->base & ~(uint64_t)(EMU_PAGE - 1), to = up(a->base + a->size, EMU_PAGE);
	unsigned char in[256]; /* a byte a page */
	for (; from < to; from += sizeof in * EMU_PAGE) {
		size_t n = to - from < sizeof in * EMU_PAGE ? to - from : sizeof in * EMU_PAGE;
		if (mincore((void *)from, n, in))
			return 1;
	}
	return 0;
}

/* discard takes an allocation from the table. Stale copies of its address find nothing, and stale accesses fault. */
static void discard(size_t i) {
	struct emu_alloc *a = &allocs[i];
	if (damaged(a)) {
		emu_damage_at_free++;
		emu_complain("memory was written past the end of an allocation of %zu bytes", a->size);
	}
	if (unmapped(a)) {
		emu_freed_in_use++;
		emu_complain("%zu bytes at %#lx were unmapped while they were registered", a->size, (unsigned long)a->base);
	}
	if (emu_is_device(a))
		emu_devices[a->ctx->device].used -= a->size;
	if (a->map)
		munmap(a->map, a->map_size);
	memmove(a, a + 1, (nallocs - i - 1) * sizeof *a);
	nallocs--;
	atomic_fetch_add(&generation, 1);
}

void emu_free_context_memory(struct emu_ctx *c) {
	for (size_t i = nallocs; i-- > 0;)
		if (allocs[i].ctx == c) {
			if (!emu_devices[c->device].lost)
				emu_leaked++;
			discard(i);
		}
}

/* in_use reports whether queued work of any context has bytes of the allocation as its source or destination: pinned memory serves all contexts. */
static int in_use(const struct emu_alloc *a) {
	for (struct emu_object *o = emu_live[EMU_CONTEXT]; o; o = o->next)
		for (struct emu_stream *s = ((struct emu_ctx *)o)->streams; s; s = s->sibling)
			for (struct emu_op *op = s->head; op; op = op->next)
				if ((op->dst >= a->base && op->dst - a->base < a->size) || (op->src >= a->base && op->src - a->base < a->size))
					return 1;
	return 0;
}

/* release frees what begins at p. As the driver does, it first waits for all work; work that uses the very memory is counted, because nothing promises
 * that wait. */
static int release(uint64_t p, enum emu_memory kind, enum emu_memory other, int unknown) {
	struct emu_alloc *a = emu_alloc_at(p);
	if (!a || a->base != p || (a->kind != kind && a->kind != other))
		return unknown;
	if (in_use(a)) {
		emu_freed_in_use++;
		emu_complain("memory was freed that queued work uses");
	}
	uint64_t id = a->id;
	struct emu_ctx *c;
	while ((c = emu_busy_context())) /* looked for anew each time: the mutex is given back meanwhile */
		emu_drive_context(c);
	if (emu_devices[emu_current()->device].lost)
		return emu_devices[emu_current()->device].lost;
	a = emu_alloc_at(p);
	if (!a || a->id != id)
		return unknown;
	discard((size_t)(a - allocs));
	return 0;
}

int cuMemAlloc_v2(uint64_t *p, size_t n) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(allocate(EMU_DEVICE, n, p));
}

int cuMemAllocManaged(uint64_t *p, size_t n, unsigned flags) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(flags == 1 || flags == 2 ? allocate(EMU_MANAGED, n, p) : E_INVALID_VALUE);
}

int cuMemHostAlloc(void **p, size_t n, unsigned flags) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(flags & ~7u ? E_INVALID_VALUE : allocate(EMU_HOST, n, (uint64_t *)p));
}

int cuMemAllocHost_v2(void **p, size_t n) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(allocate(EMU_HOST, n, (uint64_t *)p));
}

int cuMemFree_v2(uint64_t p) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(p ? release(p, EMU_DEVICE, EMU_MANAGED, E_INVALID_VALUE) : 0);
}

int cuMemFreeHost(void *p) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(release((uint64_t)p, EMU_HOST, EMU_HOST, E_INVALID_VALUE));
}

int cuMemHostRegister_v2(void *p, size_t n, unsigned flags) {
	EMU_ENTER(EMU_CURRENT);
	uint64_t base = (uint64_t)p;
	if (!p || n == 0 || flags & ~15u || base + n < base)
		return emu_leave(E_INVALID_VALUE);
	/* Pages are pinned: two registrations share none. */
	uint64_t first = base & ~(uint64_t)(EMU_PAGE - 1), end = up(base + n, EMU_PAGE);
	size_t i = index_of(end - 1);
	if (i > 0 && allocs[i - 1].base + allocs[i - 1].size > first)
		return emu_leave(E_REGISTERED);
	uint64_t used = pinned_bytes(), limit = (uint64_t)emu_opt_long("host_memory");
	if (used > limit || n > limit - used)
		return emu_leave(E_OUT_OF_MEMORY);
	if (unmapped(&(struct emu_alloc){.base = base, .size = n, .kind = EMU_HOST_REGISTERED}))
		return emu_leave(E_INVALID_VALUE);
	insert((struct emu_alloc){.base = base, .size = n, .kind = EMU_HOST_REGISTERED, .ctx = emu_current()});
	return emu_leave(0);
}

int cuMemHostUnregister(void *p) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(release((uint64_t)p, EMU_HOST_REGISTERED, EMU_HOST_REGISTERED, E_NOT_REGISTERED));
}

int cuMemHostGetDevicePointer_v2(uint64_t *out, void *p, unsigned flags) {
	EMU_ENTER(EMU_CURRENT);
	struct emu_alloc *a = emu_alloc_at((uint64_t)p);
	if (!out || flags || !a || emu_is_device(a))
		return emu_leave(E_INVALID_VALUE);
	*out = (uint64_t)p;
	return emu_leave(0);
}

int cuMemGetInfo_v2(size_t *free, size_t *total) {
	EMU_ENTER(EMU_CURRENT);
	if (!free || !total)
		return emu_leave(E_INVALID_VALUE);
	uint64_t used = emu_devices[emu_current()->device].used;
	*total = (size_t)emu_opt_long("memory");
	*free = used < *total ? *total - used : 0;
	return emu_leave(0);
}

int cuMemGetAddressRange_v2(uint64_t *base, size_t *size, uint64_t p) {
	EMU_ENTER(EMU_CURRENT);
	struct emu_alloc *a = emu_alloc_at(p);
	if (!a)
		return emu_leave(E_INVALID_VALUE);
	if (base)
		*base = a->base;
	if (size)
		*size = a->size;
	return emu_leave(0);
}

/* attribute writes one attribute of a pointer; of one that isn't known (a is NULL) it writes zero. */
static int attribute(void *out, int which, uint64_t p, const struct emu_alloc *a) {
	int host = a && !emu_is_device(a);
	uint64_t v = 0;
	int wide = 0, rc = 0;
	switch (which) {
	case 1: wide = 1; v = a ? (uint64_t)a->ctx : 0; break;                 /* context */
	case 2: v = !a ? 0 : host ? 1 : 2; break;                              /* memory type */
	case 3: wide = 1; v = a ? p : 0; break;                                /* device pointer */
	case 4: wide = 1; v = host || (a && a->kind == EMU_MANAGED) ? p : 0; rc = a && !v ? E_INVALID_VALUE : 0; break; /* host pointer */
	case 6: v = a && !host; break;                                         /* synchronous memory operations */
	case 7: wide = 1; v = a ? a->id : 0; break;                            /* buffer id */
	case 8: v = a && a->kind == EMU_MANAGED; break;
	case 9: v = a ? (uint64_t)a->ctx->device : 0; break;                   /* device ordinal */
	case 10: break;                                                        /* legacy IPC capable */
	case 11: wide = 1; v = a ? a->base : 0; break;                         /* range start */
	case 12: wide = 1; v = a ? a->size : 0; break;                         /* range size */
	case 13: v = a != NULL; break;                                         /* mapped */
	case 14: wide = 1; break;                                              /* allowed handle types */
	case 15: v = a && !host ? (uint64_t)emu_opt("rdma") : 0; break;        /* GPUDirect RDMA capable */
	case 16: v = a ? 3 : 0; break;                                         /* access flags: read and write */
	case 17: wide = 1; break;                                              /* memory pool */
	default: return E_INVALID_VALUE;
	}
	if (wide)
		memcpy(out, &v, 8);
	else
		memcpy(out, &(int){(int)v}, 4);
	return rc;
}

int cuPointerGetAttribute(void *out, int which, uint64_t p) {
	EMU_ENTER(EMU_INITIALIZED);
	struct emu_alloc *a = emu_alloc_at(p);
	return emu_leave(out && a ? attribute(out, which, p, a) : E_INVALID_VALUE);
}

int cuPointerGetAttributes(unsigned n, int *which, void **out, uint64_t p) {
	EMU_ENTER(EMU_INITIALIZED);
	if (!n || !which || !out)
		return emu_leave(E_INVALID_VALUE);
	struct emu_alloc *a = emu_alloc_at(p);
	for (unsigned i = 0; i < n; i++)
		if (attribute(out[i], which[i], p, a) && (which[i] < 1 || which[i] > 17))
			return emu_leave(E_INVALID_VALUE);
	return emu_leave(0);
}

int cuPointerSetAttribute(const void *value, int which, uint64_t p) {
	EMU_ENTER(EMU_INITIALIZED);
	return emu_leave(value && which == 6 && emu_is_device(emu_alloc_at(p)) ? 0 : E_INVALID_VALUE);
}

/* emu_check reports whether addr..addr+bytes is device memory of the device whose kernel runs in this thread, or else of the current context, or else, in the
 * threads of the interpreter, of a device that runs a kernel. It is called for every access of a kernel, so that each thread remembers the allocation that it
 * found last. */
int emu_check(uint64_t addr, size_t bytes) {
	static __thread struct {
		unsigned long generation;
		int device;
		uint64_t base, size;
	} last;
	struct emu_ctx *c = emu_running_device ? NULL : emu_current();
	int device = emu_running_device ? emu_running_device - 1 : c ? c->device : -1;
	if (last.generation != atomic_load_explicit(&generation, memory_order_acquire) || last.device != device || addr - last.base >= last.size) {
		pthread_mutex_lock(&emu_mutex);
		struct emu_alloc *a = emu_alloc_at(addr);
		int ok = emu_is_device(a) && (device < 0 ? emu_devices[a->ctx->device].kernels > 0 : a->ctx->device == device);
		if (ok) {
			last.generation = atomic_load(&generation);
			last.device = device;
			last.base = a->base;
			last.size = a->size;
		}
		pthread_mutex_unlock(&emu_mutex);
		if (!ok)
			return 0;
	}
	return bytes <= last.size - (addr - last.base);
}

/* emu_range tells of the allocation that holds addr: kind 1 host, 2 device. It reports whether there is one. Any out may be NULL. */
int emu_range(uint64_t addr, uint64_t *base, size_t *size, int *kind, int *device) {
	pthread_mutex_lock(&emu_mutex);
	struct emu_alloc *a = emu_alloc_at(addr);
	if (a) {
		if (base)
			*base = a->base;
		if (size)
			*size = a->size;
		if (kind)
			*kind = emu_is_device(a) ? 2 : 1;
		if (device)
			*device = a->ctx->device;
	}
	pthread_mutex_unlock(&emu_mutex);
	return a != NULL;
}
