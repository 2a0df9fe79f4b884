/* Copies and fills. Every one is checked against the allocations that it touches before it is queued. */
#include "emu.h"

#include <stdlib.h>
#include <string.h>

/* A side of a copy: what kind of memory the call says it is. */
enum side { HOST = 1, DEVICE = 2, ARRAY = 3, UNIFIED = 4 };

/* check looks at rows of width bytes, pitch apart, from p. A device side must lie in one allocation, of the current context's device or of pinned host
 * memory, which a device can address too; a host side must not be device memory, and if it begins in pinned memory it must end there. pinned tells
 * whether the bytes are either kind. */
static int check(enum side side, uint64_t p, size_t pitch, size_t width, size_t rows, int *pinned) {
	size_t span;
	if (__builtin_mul_overflow(pitch, rows - 1, &span) || __builtin_add_overflow(span, width, &span) || p + span < p)
		return E_INVALID_VALUE;
	struct emu_alloc *a = emu_alloc_at(p);
	*pinned = a != NULL;
	if (!a)
		/* pageable memory, which may not run into an allocation */
		return side != DEVICE && p && !emu_alloc_at(p + span - 1) ? 0 : E_INVALID_VALUE;
	if (side == HOST && a->kind == EMU_DEVICE)
		return E_INVALID_VALUE;
	if (a->kind == EMU_DEVICE && a->ctx->device != emu_current()->device) {
		emu_complain("a copy in a context of device %d has memory of device %d", emu_current()->device, a->ctx->device);
		return E_INVALID_VALUE;
	}
	if (span > a->size - (p - a->base)) {
		emu_complain("a copy has %zu bytes at offset %zu of an allocation of %zu bytes", span, (size_t)(p - a->base), a->size);
		return E_INVALID_VALUE;
	}
	return 0;
}

struct rect {
	enum side side;
	uint64_t p;
	size_t pitch;
};

/* copy queues rows of width bytes, and waits if the call does or if the driver would: memory that isn't pinned is read before the call returns and is
 * written before it returns. */
static int copy(const char *call, struct rect dst, struct rect src, size_t width, size_t rows, void *stream, int wait) {
	struct emu_stream *s = emu_stream(emu_current(), stream);
	if (!s)
		return E_INVALID_HANDLE;
	if (width == 0 || rows == 0)
		return 0;
	int to_pinned, from_pinned;
	int rc = check(dst.side, dst.p, dst.pitch, width, rows, &to_pinned);
	if (!rc)
		rc = check(src.side, src.p, src.pitch, width, rows, &from_pinned);
	if (rc)
		return rc;
	struct emu_op *op = emu_op(EMU_COPY, call);
	op->dst = dst.p;
	op->dpitch = dst.pitch;
	op->width = width;
	op->rows = rows;
	if (!from_pinned && !wait) {
		op->staged = malloc(width * rows);
		for (size_t i = 0; i < rows; i++)
			memcpy((char *)op->staged + i * width, (char *)src.p + i * src.pitch, width);
		src = (struct rect){HOST, (uint64_t)op->staged, width};
	}
	op->src = src.p;
	op->spitch = src.pitch;
	uint64_t seq = emu_enqueue(s, op);
	emu_spun += wait && emu_spins(emu_current());
	return wait || !to_pinned ? emu_drive(s, seq) : 0;
}

static int line(const char *call, enum side to, uint64_t dst, enum side from, uint64_t src, size_t n, void *stream, int wait) {
	return copy(call, (struct rect){to, dst, n}, (struct rect){from, src, n}, n, 1, stream, wait);
}

int cuMemcpyHtoD_v2(uint64_t dst, const void *src, size_t n) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(line(__func__, DEVICE, dst, HOST, (uint64_t)src, n, NULL, 1));
}

int cuMemcpyDtoH_v2(void *dst, uint64_t src, size_t n) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(line(__func__, HOST, (uint64_t)dst, DEVICE, src, n, NULL, 1));
}

int cuMemcpyDtoD_v2(uint64_t dst, uint64_t src, size_t n) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(line(__func__, DEVICE, dst, DEVICE, src, n, NULL, 0)); /* the host doesn't wait for these */
}

int cuMemcpy(uint64_t dst, uint64_t src, size_t n) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(line(__func__, UNIFIED, dst, UNIFIED, src, n, NULL, 1));
}

int cuMemcpyHtoDAsync_v2(uint64_t dst, const void *src, size_t n, void *stream) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(line(__func__, DEVICE, dst, HOST, (uint64_t)src, n, stream, 0));
}

int cuMemcpyDtoHAsync_v2(void *dst, uint64_t src, size_t n, void *stream) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(line(__func__, HOST, (uint64_t)dst, DEVICE, src, n, stream, 0));
}

int cuMemcpyDtoDAsync_v2(uint64_t dst, uint64_t src, size_t n, void *stream) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(line(__func__, DEVICE, dst, DEVICE, src, n, stream, 0));
}

int cuMemcpyAsync(uint64_t dst, uint64_t src, size_t n, void *stream) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(line(__func__, UNIFIED, dst, UNIFIED, src, n, stream, 0));
}

/* CUDA_MEMCPY2D_v2 */
struct memcpy2d {
	size_t src_x, src_y;
	int src_side;
	const void *src_host;
	uint64_t src_device;
	void *src_array;
	size_t src_pitch;
	size_t dst_x, dst_y;
	int dst_side;
	void *dst_host;
	uint64_t dst_device;
	void *dst_array;
	size_t dst_pitch;
	size_t width, height;
};
_Static_assert(sizeof(struct memcpy2d) == 128, "layout of CUDA_MEMCPY2D_v2");

/* corner finds the first byte of a side. Pitches are no larger than the attribute says, and of more than one row no smaller than the row. */
static int corner(struct rect *r, int side, const void *host, uint64_t device, size_t x, size_t y, size_t width, size_t rows) {
	size_t skip;
	if (side != HOST && side != DEVICE && side != UNIFIED)
		return side == ARRAY ? E_NOT_SUPPORTED : E_INVALID_VALUE;
	if (r->pitch > INT32_MAX || width > SIZE_MAX - x || ((rows > 1 || y > 0) && r->pitch < x + width) || __builtin_mul_overflow(y, r->pitch, &skip) ||
	    __builtin_add_overflow(skip, x, &skip))
		return E_INVALID_VALUE;
	r->side = (enum side)side;
	r->p = (side == HOST ? (uint64_t)host : device) + skip;
	if (rows == 1)
		r->pitch = width;
	return 0;
}

int cuMemcpy2DAsync_v2(const struct memcpy2d *c, void *stream) {
	EMU_ENTER(EMU_CURRENT);
	if (!c)
		return emu_leave(E_INVALID_VALUE);
	struct rect dst = {.pitch = c->dst_pitch}, src = {.pitch = c->src_pitch};
	int rc = corner(&dst, c->dst_side, c->dst_host, c->dst_device, c->dst_x, c->dst_y, c->width, c->height);
	if (!rc)
		rc = corner(&src, c->src_side, c->src_host, c->src_device, c->src_x, c->src_y, c->width, c->height);
	return emu_leave(rc ? rc : copy(__func__, dst, src, c->width, c->height, stream, 0));
}

static int fill(const char *call, uint64_t p, unsigned char v, size_t n, void *stream) {
	struct emu_stream *s = emu_stream(emu_current(), stream);
	if (!s)
		return E_INVALID_HANDLE;
	if (n == 0)
		return 0;
	int pinned, rc = check(DEVICE, p, n, n, 1, &pinned);
	if (rc)
		return rc;
	struct emu_op *op = emu_op(EMU_FILL, call);
	op->dst = p;
	op->width = n;
	op->value = v;
	emu_enqueue(s, op);
	return 0;
}

int cuMemsetD8_v2(uint64_t p, unsigned char v, size_t n) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(fill(__func__, p, v, n, NULL)); /* the host doesn't wait for device memory to be set */
}

int cuMemsetD8Async(uint64_t p, unsigned char v, size_t n, void *stream) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(fill(__func__, p, v, n, stream));
}
