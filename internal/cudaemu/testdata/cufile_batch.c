/* Batches of the emulated libcufile. Each has a thread, which takes its reads in an order of its own; events come in several polls. */
#define _GNU_SOURCE
#include "cufile_emu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct request {
	int32_t mode;
	struct {
		void *base;
		off_t offset, buf_offset;
		size_t size;
	} u;
	void *fh;
	int32_t opcode;
	void *cookie;
};
struct event {
	void *cookie;
	int32_t status;
	ssize_t ret;
};
_Static_assert(sizeof(struct request) == 64 && sizeof(struct event) == 24, "layouts of CUfileIOParams_t and CUfileIOEvents_t");

enum { COMPLETE = 16, FAILED = 64, MAX_REQUESTS = 256 };

struct item {
	struct cf_read read;
	void *cookie;
};
struct batch {
	struct batch *next;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_t thread;
	unsigned n, queued, busy, done, polls, seed;
	int stop;
	struct item *queue;   /* queued of them */
	struct event *events; /* done of them */
};
static struct batch *batches; /* under cf_mutex; freed ones are not in it */

static struct batch *batch_find(const void *handle) {
	pthread_mutex_lock(&cf_mutex);
	struct batch *b = batches;
	while (b && b != handle)
		b = b->next;
	pthread_mutex_unlock(&cf_mutex);
	return b;
}

/* newer gives the code of version 1.20. Version 1.14 has one for all that is wrong with a batch. */
static cf_result newer(int code) { return cf_error(cf_version() < 1150 ? CF_INTERNAL : code); }

static void *work(void *arg) {
	struct batch *b = arg;
	pthread_mutex_lock(&b->mutex);
	for (;;) {
		while (!b->queued && !b->stop)
			pthread_cond_wait(&b->changed, &b->mutex);
		if (!b->queued)
			break;
		unsigned at = rand_r(&b->seed) % b->queued;
		struct item item = b->queue[at];
		b->queue[at] = b->queue[--b->queued];
		b->busy = 1;
		pthread_mutex_unlock(&b->mutex);
		struct event e = {item.cookie, COMPLETE, 0};
		long code, status;
		if (cf_fault("cuFileBatchIO", &code, &status)) {
			e.status = status ? (int32_t)status : FAILED;
			e.ret = -code;
		} else if ((e.ret = cf_transfer(&item.read)) < 0)
			e.status = FAILED;
		pthread_mutex_lock(&b->mutex);
		b->events[b->done++] = e;
		b->busy = 0;
		pthread_cond_broadcast(&b->changed);
	}
	pthread_mutex_unlock(&b->mutex);
	return NULL;
}

cf_result cuFileBatchIOSetUp(void **out, unsigned n);
cf_result cuFileBatchIOSetUp(void **out, unsigned n) {
	cf_result fault;
	int code;
	if (cf_begin(__func__, &fault))
		return fault;
	if ((code = cf_use()))
		return cf_error(code);
	if (!out || n < 1 || n > MAX_REQUESTS)
		return newer(CF_INVALID_VALUE);
	struct batch *b = calloc(1, sizeof *b);
	b->n = n;
	b->seed = 1;
	b->queue = calloc(n, sizeof *b->queue);
	b->events = calloc(n, sizeof *b->events);
	pthread_mutex_init(&b->mutex, NULL);
	pthread_cond_init(&b->changed, NULL);
	pthread_create(&b->thread, NULL, work, b);
	pthread_mutex_lock(&cf_mutex);
	b->next = batches;
	batches = b;
	pthread_mutex_unlock(&cf_mutex);
	cf_cuda()->add("batches", 1);
	*out = b;
	return cf_ok();
}

/* drop gives up what is in flight: it waits for the read that is being made, and tells of none. With the batch's mutex held. */
static void drop(struct batch *b) {
	b->queued = 0;
	while (b->busy)
		pthread_cond_wait(&b->changed, &b->mutex);
	b->done = 0;
}

static int prepare(struct item *item, const struct request *r) {
	if (r->mode != 1 || r->opcode != 0)
		return CF_INVALID_VALUE;
	if (!r->u.base) {
		fputs("emulated libcufile: aborts, as NVIDIA's does, at a batch's null pointer\n", stderr);
		abort();
	}
	if (!r->fh)
		return CF_HANDLE_NOT_REGISTERED;
	if (r->u.buf_offset < 0)
		return CF_INVALID_VALUE;
	if (cf_version() < 1150 && r->u.size > 1 << 20) /* more than max_direct_io_size */
		return CF_INVALID_VALUE;
	item->cookie = r->cookie;
	size_t size = cf_version() < 1190 && r->u.size > 1 << 20 ? 1 << 20 : r->u.size; /* read so far, and said to be done */
	int code = cf_prepare(&item->read, r->fh, r->u.base, size, r->u.offset, r->u.buf_offset);
	item->read.batch = 1;
	return code;
}

/* count counts reads that were submitted by what carries them. */
static void count(const struct item *items, unsigned n) {
	pthread_mutex_lock(&cf_mutex);
	cf_stats.batch.total += n;
	for (unsigned i = 0; i < n && !cf_option("cufile.batch_uncounted"); i++) {
		const struct cf_read *r = &items[i].read;
		int aio = r->by == CF_POSIX && r->direct && !cf_unaligned(r);
		cf_stats.batch.p2p += r->by == CF_P2P;
		cf_stats.batch.nvfs += r->by == CF_NVFS;
		cf_stats.batch.aio += aio;
		cf_stats.batch.posix += r->by == CF_POSIX && !aio;
	}
	pthread_mutex_unlock(&cf_mutex);
}

cf_result cuFileBatchIOSubmit(void *handle, unsigned n, const struct request *requests, unsigned flags);
cf_result cuFileBatchIOSubmit(void *handle, unsigned n, const struct request *requests, unsigned flags) {
	cf_result fault;
	struct batch *b = batch_find(handle);
	struct item items[MAX_REQUESTS];
	int code = 0, faulty = cf_begin(__func__, &fault);
	(void)flags;
	if (!b || !requests || !n)
		return newer(CF_INVALID_VALUE);
	if (n > b->n)
		code = CF_BATCH_SUBMIT;
	for (unsigned i = 0; i < n && !code && !faulty; i++)
		code = prepare(&items[i], &requests[i]);
	pthread_mutex_lock(&b->mutex);
	if (!code && n > b->n - b->queued - b->busy - b->done)
		code = CF_BATCH_FULL;
	if (code || faulty)
		drop(b); /* as the real one does, whatever was in flight */
	else {
		count(items, n);
		memcpy(b->queue + b->queued, items, n * sizeof *items);
		b->queued += n;
		pthread_cond_broadcast(&b->changed);
	}
	pthread_mutex_unlock(&b->mutex);
	return faulty ? fault : code ? newer(code) : cf_ok();
}

cf_result cuFileBatchIOGetStatus(void *handle, unsigned least, unsigned *n, struct event *events, const struct timespec *timeout);
cf_result cuFileBatchIOGetStatus(void *handle, unsigned least, unsigned *n, struct event *events, const struct timespec *timeout) {
	cf_result fault;
	struct batch *b = batch_find(handle);
	if (cf_begin(__func__, &fault))
		return fault;
	if (!b || !n || !events || least > *n)
		return newer(CF_INVALID_VALUE);
	struct timespec now, until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	if (timeout) {
		until.tv_sec += timeout->tv_sec + (until.tv_nsec + timeout->tv_nsec) / 1000000000;
		until.tv_nsec = (until.tv_nsec + timeout->tv_nsec) % 1000000000;
	}
	pthread_mutex_lock(&b->mutex);
	while (timeout && b->done < least && b->queued + b->busy) { /* without a timeout it doesn't wait, and never for what isn't in flight */
		pthread_mutex_unlock(&b->mutex);
		if (nanosleep(&(struct timespec){0, 20000}, NULL)) /* a signal, of which NVIDIA's makes an error; a condition's wait would go on */
			return newer(CF_IO_ERROR);
		clock_gettime(CLOCK_MONOTONIC, &now);
		pthread_mutex_lock(&b->mutex);
		if (now.tv_sec > until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec))
			break;
	}
	unsigned k = 1 + b->polls++ % 3;
	k = k < least ? least : k;
	k = k < b->done ? k : b->done;
	*n = k < *n ? k : *n;
	memcpy(events, b->events, *n * sizeof *events);
	b->done -= *n;
	memmove(b->events, b->events + *n, b->done * sizeof *events);
	pthread_mutex_unlock(&b->mutex);
	return cf_ok();
}

cf_result cuFileBatchIOCancel(void *handle);
cf_result cuFileBatchIOCancel(void *handle) {
	cf_result fault;
	struct batch *b = batch_find(handle);
	if (cf_begin(__func__, &fault))
		return fault;
	if (!b)
		return newer(CF_INVALID_VALUE);
	pthread_mutex_lock(&b->mutex);
	drop(b);
	pthread_mutex_unlock(&b->mutex);
	return cf_ok();
}

void cuFileBatchIODestroy(void *handle);
void cuFileBatchIODestroy(void *handle) {
	cf_result fault;
	struct batch *b = batch_find(handle);
	cf_begin(__func__, &fault);
	if (!b)
		return;
	pthread_mutex_lock(&cf_mutex);
	for (struct batch **p = &batches; *p; p = &(*p)->next)
		if (*p == b) {
			*p = b->next;
			break;
		}
	pthread_mutex_unlock(&cf_mutex);
	pthread_mutex_lock(&b->mutex);
	b->stop = 1; /* after what is queued */
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->mutex);
	pthread_join(b->thread, NULL);
	pthread_mutex_destroy(&b->mutex);
	pthread_cond_destroy(&b->changed);
	free(b->queue);
	free(b->events);
	free(b);
	cf_cuda()->add("batches", -1);
}
