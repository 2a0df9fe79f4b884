/* Files, registered memory, and reads of the emulated libcufile. */
#define _GNU_SOURCE
#include "cufile_emu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct cf_handle *handles, *closed; /* closed ones stay, so that no address is used again */

struct cf_handle *cf_handle_find(const void *fh) {
	for (struct cf_handle *h = handles; h; h = h->next)
		if (h == fh)
			return h;
	return NULL;
}

/* Registered ranges, by their start. */
struct buffer {
	struct buffer *next;
	uint64_t base;
	size_t n, pinned; /* pinned: of the BAR's budget */
};
static struct buffer *buffers;
static size_t pinned;

static struct buffer *buffer_find(uint64_t base) {
	for (struct buffer *b = buffers; b; b = b->next)
		if (b->base == base)
			return b;
	return NULL;
}

void cf_forget_files(void) {
	while (handles) {
		struct cf_handle *h = handles;
		handles = h->next;
		h->next = closed;
		closed = h;
	}
	while (buffers) {
		struct buffer *b = buffers;
		buffers = b->next;
		free(b);
	}
	pinned = 0;
}

struct descriptor {
	int32_t kind;
	union {
		int fd;
		void *handle;
	} u;
	const void *ops;
};
_Static_assert(sizeof(struct descriptor) == 24, "layout of CUfileDescr_t");

static int check_file(const struct descriptor *d, int *flags) {
	struct stat st;
	if (d->kind != 1)
		return d->kind == 2 ? CF_IO_NOT_SUPPORTED : CF_INVALID_VALUE;
	if (d->u.fd < 0 || (*flags = fcntl(d->u.fd, F_GETFL)) < 0 || fstat(d->u.fd, &st))
		return CF_INVALID_VALUE;
	if (!S_ISREG(st.st_mode))
		return CF_FILE_TYPE;
	if (!cf_compat() && !(*flags & O_DIRECT))
		return CF_OPEN_FLAG;
	return 0;
}

cf_result cuFileHandleRegister(void **out, const struct descriptor *d);
cf_result cuFileHandleRegister(void **out, const struct descriptor *d) {
	cf_result fault;
	int flags = 0, code;
	if (cf_begin(__func__, &fault))
		return fault;
	if (!out || !d)
		return cf_error(CF_INVALID_VALUE);
	if ((code = cf_use()) || (code = check_file(d, &flags)))
		return cf_error(code);
	pthread_mutex_lock(&cf_mutex);
	for (struct cf_handle *h = handles; h; h = h->next)
		if (h->fd == d->u.fd)
			code = CF_HANDLE_REGISTERED;
	if (!code) {
		struct cf_handle *h = malloc(sizeof *h);
		*h = (struct cf_handle){handles, d->u.fd, flags};
		handles = h;
		*out = h;
		cf_cuda()->add("handles", 1);
	}
	pthread_mutex_unlock(&cf_mutex);
	return cf_error(code);
}

void cuFileHandleDeregister(void *fh);
void cuFileHandleDeregister(void *fh) {
	cf_result fault;
	cf_begin(__func__, &fault);
	pthread_mutex_lock(&cf_mutex);
	for (struct cf_handle **p = &handles; *p; p = &(*p)->next)
		if (*p == fh) {
			struct cf_handle *h = *p;
			*p = h->next;
			h->next = closed;
			closed = h;
			cf_cuda()->add("handles", -1);
			break;
		}
	pthread_mutex_unlock(&cf_mutex);
}

cf_result cuFileBufRegister(const void *base, size_t n, int flags);
cf_result cuFileBufRegister(const void *base, size_t n, int flags) {
	cf_result fault;
	int device, owner = -1, kind = 0, code, rc;
	uint64_t start = 0;
	size_t size = 0;
	(void)flags;
	if (cf_begin(__func__, &fault))
		return fault;
	if ((code = cf_use()))
		return cf_error(code);
	if (!base || !n)
		return cf_error(CF_INVALID_VALUE);
	if ((rc = cf_cuda()->device(&device)))
		return (cf_result){CF_CUDA_ERROR, rc};
	int known = cf_cuda()->range((uint64_t)base, &start, &size, &kind, &owner) && kind == 2;
	if (known && owner != device)
		return cf_error(CF_CONTEXT_MISMATCH);
	if (known && n > size - ((uint64_t)base - start))
		return cf_error(CF_POINTER_RANGE);
	size_t budget = known ? (n + 65535) & ~(size_t)65535 : 0;
	long bar = cf_cuda()->option("bar");
	pthread_mutex_lock(&cf_mutex);
	if (buffer_find((uint64_t)base))
		code = CF_ALREADY_REGISTERED;
	else if (budget > (size_t)bar || pinned > (size_t)bar - budget)
		code = CF_PINNING;
	else {
		struct buffer *b = malloc(sizeof *b);
		*b = (struct buffer){buffers, (uint64_t)base, n, budget};
		buffers = b;
		pinned += budget;
		cf_cuda()->add("buffers", 1);
		cf_cuda()->add("registered_bytes", (long)budget);
	}
	pthread_mutex_unlock(&cf_mutex);
	return cf_error(code);
}

cf_result cuFileBufDeregister(const void *base);
cf_result cuFileBufDeregister(const void *base) {
	cf_result fault;
	int code = CF_NOT_REGISTERED;
	if (cf_begin(__func__, &fault))
		return fault;
	pthread_mutex_lock(&cf_mutex);
	for (struct buffer **p = &buffers; *p; p = &(*p)->next)
		if ((*p)->base == (uint64_t)base) {
			struct buffer *b = *p;
			*p = b->next;
			pinned -= b->pinned;
			cf_cuda()->add("buffers", -1);
			cf_cuda()->add("registered_bytes", -(long)b->pinned);
			free(b);
			code = 0;
			break;
		}
	pthread_mutex_unlock(&cf_mutex);
	return cf_error(code);
}

int cf_prepare(struct cf_read *r, void *fh, void *base, size_t n, off_t offset, off_t buf_offset) {
	int kind = 0;
	pthread_mutex_lock(&cf_mutex);
	struct cf_handle *h = cf_handle_find(fh);
	struct buffer *b = buffer_find((uint64_t)base);
	int code = 0;
	if (!fh || !base)
		code = EINVAL;
	else if (!h)
		code = CF_HANDLE_NOT_REGISTERED;
	else if (offset < 0)
		code = CF_INVALID_VALUE;
	else if ((h->flags & O_ACCMODE) == O_WRONLY)
		code = CF_OPEN_FLAG;
	else if (b && buf_offset >= 0 && ((size_t)buf_offset > b->n || n > b->n - (size_t)buf_offset))
		code = CF_MAPPING_RANGE;
	else
		*r = (struct cf_read){.fd = h->fd, .direct = (h->flags & O_DIRECT) != 0, .to = (uint64_t)base + (uint64_t)buf_offset, .n = n, .offset = offset};
	pthread_mutex_unlock(&cf_mutex);
	if (code)
		return code;
	r->device = -1;
	int device;
	if (cf_cuda()->range((uint64_t)base, NULL, NULL, &kind, &device) && kind == 2)
		r->device = device;
	if (r->direct && r->device >= 0)
		r->by = cf_nvfs() ? CF_NVFS : cf_p2p() ? CF_P2P : CF_POSIX;
	return 0;
}

int cf_unaligned(const struct cf_read *r) { return ((uint64_t)r->offset | r->n | r->to) % CF_PAGE != 0; }

static ssize_t pread_all(int fd, int direct, unsigned char *to, size_t n, off_t offset) {
	size_t got = 0;
	while (got < n) {
		ssize_t k = pread(fd, to + got, n - got, offset + (off_t)got);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		if (k == 0)
			break;
		got += (size_t)k;
		if (direct && k % CF_PAGE) /* the end of the file; reading on would be unaligned */
			break;
	}
	return (ssize_t)got;
}

/* through_bounce reads by aligned pieces, as a descriptor with O_DIRECT needs it. */
static ssize_t through_bounce(const struct cf_read *r, size_t n) {
	enum { PIECE = 1 << 20 };
	unsigned char *bounce = aligned_alloc(CF_PAGE, PIECE);
	size_t got = 0;
	ssize_t k = 0;
	while (got < n) {
		off_t at = r->offset + (off_t)got, start = at & -(off_t)CF_PAGE;
		size_t skip = (size_t)(at - start), want = n - got < PIECE - skip ? n - got : PIECE - skip;
		k = pread_all(r->fd, 1, bounce, (skip + want + CF_PAGE - 1) & ~(size_t)(CF_PAGE - 1), start);
		if (k <= (ssize_t)skip)
			break;
		size_t have = (size_t)k - skip < want ? (size_t)k - skip : want;
		memcpy((void *)(r->to + got), bounce + skip, have);
		got += have;
		if (have < want)
			break;
	}
	free(bounce);
	return k < 0 ? k : (ssize_t)got;
}

/* cf_transfer poisons what is behind the bytes that it read, as that is unspecified. */
ssize_t cf_transfer(const struct cf_read *r) {
	static long count;
	uint64_t start;
	size_t size, n = r->n;
	int kind;
	if (!n)
		return 0;
	int memory = cf_cuda()->range(r->to, &start, &size, &kind, NULL);
	if (r->device >= 0 && (!memory || n > size - (r->to - start)))
		return -EIO; /* a real GPU would be written to */
	long every = cf_cuda()->option("cufile.short");
	if (every && __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) % every == 0)
		n = (n + 1) / 2;
	ssize_t got = r->direct ? through_bounce(r, n) : pread_all(r->fd, 0, (unsigned char *)r->to, n, r->offset);
	if (got >= 0 && memory)
		memset((void *)(r->to + (uint64_t)got), CF_POISON, r->n - (size_t)got);
	pthread_mutex_lock(&cf_mutex);
	if (got < 0)
		cf_stats.errors++;
	else if (r->batch)
		cf_stats.batch_bytes += (uint64_t)got;
	else {
		cf_stats.reads++;
		cf_stats.bytes += (uint64_t)got;
	}
	if (r->device >= 0 && r->device < 16 && got >= 0 && !r->batch) {
		cf_stats.gpu[r->device].total++;
		cf_stats.gpu[r->device].p2p += r->by == CF_P2P;
		cf_stats.gpu[r->device].nvfs += r->by == CF_NVFS;
		cf_stats.gpu[r->device].posix += r->by == CF_POSIX;
		cf_stats.gpu[r->device].unaligned += cf_unaligned(r);
	}
	pthread_mutex_unlock(&cf_mutex);
	return got;
}

/* fail returns as the library does: -1 with a code or an errno in errno. With the option cufile.negative a code is the result, as cufile.h has it. */
static ssize_t fail(long code) {
	pthread_mutex_lock(&cf_mutex);
	cf_stats.errors++;
	pthread_mutex_unlock(&cf_mutex);
	if (code >= 5000 && cf_cuda() && cf_cuda()->option("cufile.negative"))
		return -code;
	errno = (int)code;
	return -1;
}

ssize_t cuFileRead(void *fh, void *base, size_t n, off_t offset, off_t buf_offset);
ssize_t cuFileRead(void *fh, void *base, size_t n, off_t offset, off_t buf_offset) {
	cf_result fault;
	struct cf_read r;
	if (cf_begin(__func__, &fault))
		return fail(fault.err);
	int code = cf_prepare(&r, fh, base, n, offset, buf_offset);
	if (code)
		return fail(code);
	ssize_t got = cf_transfer(&r);
	if (got < 0)
		errno = (int)-got;
	return got < 0 ? -1 : got;
}
