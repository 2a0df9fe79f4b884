/* Streams and events: queues of work, and marks in them.
 *
 * With the option lazy, work runs only when a call has to wait for it, in the thread that waits: nothing is done before it must be. Otherwise each stream
 * has a thread. Either way, work runs in the order of its stream, after what it waits for in others, and without the mutex. */
#define _GNU_SOURCE
#include "emu.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NON_BLOCKING = 1, BLOCKING_SYNC = 1, DISABLE_TIMING = 2, INTERPROCESS = 4 };

__thread int emu_running_device;

struct emu_op *emu_op(enum emu_work work, const char *call) {
	struct emu_op *op = calloc(1, sizeof *op);
	op->work = work;
	op->call = call;
	return op;
}

void emu_op_free(struct emu_op *op) {
	if (op->unfinished)
		--*op->unfinished;
	free(op->waits);
	free(op->staged);
	free(op);
}

static void add_wait(struct emu_op *op, struct emu_stream *s, uint64_t seq) {
	if (s->done >= seq)
		return;
	op->waits = realloc(op->waits, (size_t)(op->nwaits + 1) * sizeof *op->waits);
	op->waits[op->nwaits++] = (struct emu_wait){s, seq};
}

/* unmet returns the first thing that op still waits for. */
static struct emu_wait *unmet(struct emu_op *op) {
	for (int i = 0; i < op->nwaits; i++)
		if (op->waits[i].stream->done < op->waits[i].seq)
			return &op->waits[i];
	return NULL;
}

/* block_signals is for making threads, which inherit it: signals are for the threads of the program. */
static void block_signals(sigset_t *before) {
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

/* perform does the work, without the mutex. A failure of a kernel loses the device, as it does on a GPU. */
static int perform(struct emu_op *op, char *err, size_t n) {
	switch (op->work) {
	case EMU_COPY:
		if (op->dpitch == op->width && op->spitch == op->width) { /* one piece */
			memmove((void *)op->dst, (void *)op->src, op->width * op->rows);
			break;
		}
		for (size_t i = 0; i < op->rows; i++)
			memmove((char *)op->dst + i * op->dpitch, (char *)op->src + i * op->spitch, op->width);
		break;
	case EMU_FILL:
		memset((void *)op->dst, op->value, op->width);
		break;
	case EMU_KERNEL: {
		void *params[sizeof op->args / sizeof *op->args];
		for (unsigned i = 0; i < op->nargs; i++)
			params[i] = &op->args[i];
		sigset_t before;
		block_signals(&before); /* the interpreter makes threads */
		int rc = ptx_launch(op->kernel, op->grid, op->block, params, err, n);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		return rc;
	}
	case EMU_HOST_FUNC:
		op->func(op->user);
		break;
	case EMU_MARK:
		break;
	}
	return 0;
}

/* run_head takes the first item of a stream that isn't busy and whose item waits for nothing, and runs it. The mutex is given back meanwhile. */
static void run_head(struct emu_stream *s) {
	struct emu_op *op = s->head;
	s->head = op->next;
	if (!s->head)
		s->tail = NULL;
	s->busy = 1;
	int device = s->o.ctx->device, delay = op->work == EMU_MARK ? 0 : emu_opt("delay_us"), rc = 0;
	char fault[128] = "exec.", err[256] = "";
	strncat(fault, op->call, sizeof fault - 6);
	long code = 0, cu;
	if (op->work == EMU_MARK || !emu_fault_locked(fault, &code, &cu)) {
		emu_devices[device].kernels += op->work == EMU_KERNEL;
		pthread_mutex_unlock(&emu_mutex);
		if (delay)
			usleep((useconds_t)delay);
		int outer = emu_running_device;
		emu_running_device = device + 1;
		rc = perform(op, err, sizeof err);
		emu_running_device = outer;
		pthread_mutex_lock(&emu_mutex);
		emu_devices[device].kernels -= op->work == EMU_KERNEL;
	}
	s->busy = 0;
	if (s->done < op->seq)
		s->done = op->seq;
	if (rc) {
		emu_complain("kernel %s: %s", op->name, err);
		code = emu_sticky(rc) ? rc : E_ILLEGAL_ADDRESS;
	}
	if (code)
		emu_lose(device, (int)code);
	emu_op_free(op);
	pthread_cond_broadcast(&emu_changed);
}

static void *worker(void *arg) {
	struct emu_stream *s = arg;
	pthread_mutex_lock(&emu_mutex);
	while (!s->destroyed || s->head) {
		if (s->head && !s->busy && !unmet(s->head) && !emu_opt("lazy"))
			run_head(s);
		else
			pthread_cond_wait(&emu_changed, &emu_mutex);
	}
	s->worker = 0;
	pthread_mutex_unlock(&emu_mutex);
	return NULL;
}

static void start_worker(struct emu_stream *s) {
	sigset_t before;
	block_signals(&before);
	pthread_t t;
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	s->worker = !pthread_create(&t, &attr, worker, s); /* without it, whoever waits runs the work */
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

uint64_t emu_enqueue(struct emu_stream *s, struct emu_op *op) {
	struct emu_ctx *c = s->o.ctx;
	/* The legacy stream and the blocking streams of a context wait for each other. */
	if (s == c->legacy) {
		for (struct emu_stream *o = c->streams; o; o = o->sibling)
			if (o != s && !(o->flags & NON_BLOCKING))
				add_wait(op, o, o->last);
	} else if (!(s->flags & NON_BLOCKING)) {
		add_wait(op, c->legacy, c->legacy->last);
	}
	op->seq = ++s->last;
	*(s->tail ? &s->tail->next : &s->head) = op;
	s->tail = op;
	if (!s->worker && !emu_opt("lazy"))
		start_worker(s);
	pthread_cond_broadcast(&emu_changed);
	return op->seq;
}

/* step makes s go on by one item, its own or one that it waits for, or waits for another thread that does. */
static void step(struct emu_stream *s) {
	for (;;) {
		struct emu_wait *w;
		if (s->busy || !s->head) {
			pthread_cond_wait(&emu_changed, &emu_mutex);
			return;
		}
		if (!(w = unmet(s->head)))
			break;
		s = w->stream; /* what is waited for was queued before, so that this ends */
	}
	run_head(s);
}

int emu_drive(struct emu_stream *s, uint64_t seq) {
	while (s->done < seq && !emu_devices[s->o.ctx->device].lost)
		step(s);
	while (s->busy && emu_devices[s->o.ctx->device].lost) /* what runs as the device is lost may still use the memory of who waits */
		pthread_cond_wait(&emu_changed, &emu_mutex);
	return emu_devices[s->o.ctx->device].lost;
}

int emu_drive_context(struct emu_ctx *c) {
	int device = c->device;
	for (struct emu_stream *s = c->streams; s; s = s->sibling)
		emu_drive(s, s->last);
	return emu_devices[device].lost;
}

struct emu_ctx *emu_busy_context(void) {
	for (struct emu_object *o = emu_live[EMU_CONTEXT]; o; o = o->next)
		for (struct emu_stream *s = ((struct emu_ctx *)o)->streams; s; s = s->sibling)
			if (s->done < s->last)
				return (struct emu_ctx *)o;
	return NULL;
}

/* emu_drop_work forgets what is queued. What is running runs on. */
void emu_drop_work(struct emu_ctx *c) {
	for (struct emu_stream *s = c->streams; s; s = s->sibling) {
		while (s->head) {
			struct emu_op *op = s->head;
			s->head = op->next;
			emu_op_free(op);
		}
		s->tail = NULL;
		s->done = s->last;
	}
}

void emu_await_idle(struct emu_ctx *c) {
	for (struct emu_stream *s = c->streams; s; s = s->sibling)
		while (s->busy)
			pthread_cond_wait(&emu_changed, &emu_mutex);
}

struct emu_stream *emu_stream(struct emu_ctx *c, void *handle) {
	if ((uintptr_t)handle <= 2) /* NULL, the legacy stream and, here the same, the stream of each thread */
		return c->legacy;
	struct emu_stream *s = emu_lookup(EMU_STREAM, handle);
	return s && s->o.ctx == c ? s : NULL;
}

struct emu_stream *emu_stream_new(struct emu_ctx *c, unsigned flags) {
	struct emu_stream **p = &c->streams;
	while (*p) /* forget streams that are destroyed and done */
		if ((*p)->destroyed && !(*p)->head && !(*p)->busy)
			*p = (*p)->sibling;
		else
			p = &(*p)->sibling;
	struct emu_stream *s = emu_new(EMU_STREAM, sizeof *s, c);
	s->flags = flags;
	return *p = s;
}

void emu_stream_destroy(struct emu_stream *s) {
	s->destroyed = 1;
	emu_retire(s);
	pthread_cond_broadcast(&emu_changed);
}

static int stream_create(void **out, unsigned flags) {
	if (!out || flags & ~(unsigned)NON_BLOCKING)
		return E_INVALID_VALUE;
	*out = emu_stream_new(emu_current(), flags);
	return 0;
}

int cuStreamCreate(void **out, unsigned flags) {
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(stream_create(out, flags));
}

int cuStreamCreateWithPriority(void **out, unsigned flags, int priority) {
	(void)priority;
	EMU_ENTER(EMU_CURRENT);
	return emu_leave(stream_create(out, flags));
}

/* cuStreamDestroy returns at once; what is queued still runs. */
int cuStreamDestroy_v2(void *handle) {
	EMU_ENTER(EMU_CURRENT);
	struct emu_stream *s = emu_lookup(EMU_STREAM, handle);
	if (!s || s == s->o.ctx->legacy)
		return emu_leave(E_INVALID_HANDLE);
	emu_stream_destroy(s);
	return emu_leave(0);
}

int cuStreamSynchronize(void *handle) {
	EMU_ENTER(EMU_CURRENT);
	struct emu_stream *s = emu_stream(emu_current(), handle);
	if (!s)
		return emu_leave(E_INVALID_HANDLE);
	emu_spun += emu_spins(s->o.ctx);
	if (s == s->o.ctx->legacy) /* it waits for the blocking streams too */
		emu_enqueue(s, emu_op(EMU_MARK, __func__));
	return emu_leave(emu_drive(s, s->last));
}

/* query answers whether s is done up to seq. With lazy it says no for as long as a GPU may, but each time an item is run, so that a loop of queries ends. */
static int query(struct emu_stream *s, uint64_t seq) {
	if (s->done >= seq)
		return 0;
	if (emu_opt("lazy"))
		step(s);
	int lost = emu_devices[s->o.ctx->device].lost;
	return lost ? lost : E_NOT_READY;
}

int cuStreamQuery(void *handle) {
	EMU_ENTER(EMU_CURRENT);
	struct emu_stream *s = emu_stream(emu_current(), handle);
	return emu_leave(s ? query(s, s->last) : E_INVALID_HANDLE);
}

int cuStreamWaitEvent(void *handle, void *event, unsigned flags) {
	EMU_ENTER(EMU_CURRENT);
	struct emu_stream *s = emu_stream(emu_current(), handle);
	struct emu_event *e = emu_lookup(EMU_EVENT, event);
	if (!s || !e)
		return emu_leave(E_INVALID_HANDLE);
	if (flags > 1)
		return emu_leave(E_INVALID_VALUE);
	if (e->stream) {
		struct emu_op *op = emu_op(EMU_MARK, __func__);
		add_wait(op, e->stream, e->seq);
		emu_enqueue(s, op);
	}
	return emu_leave(0);
}

int cuLaunchHostFunc(void *handle, void (*func)(void *), void *user) {
	EMU_ENTER(EMU_CURRENT);
	struct emu_stream *s = emu_stream(emu_current(), handle);
	if (!s || !func)
		return emu_leave(s ? E_INVALID_VALUE : E_INVALID_HANDLE);
	struct emu_op *op = emu_op(EMU_HOST_FUNC, __func__);
	op->func = func;
	op->user = user;
	emu_enqueue(s, op);
	return emu_leave(0);
}

int cuEventCreate(void **out, unsigned flags) {
	EMU_ENTER(EMU_CURRENT);
	if (!out || flags & ~7u || (flags & INTERPROCESS && !(flags & DISABLE_TIMING)))
		return emu_leave(E_INVALID_VALUE);
	struct emu_event *e = emu_new(EMU_EVENT, sizeof *e, emu_current());
	e->flags = flags;
	*out = e;
	return emu_leave(0);
}

int cuEventDestroy_v2(void *event) {
	EMU_ENTER(EMU_CURRENT);
	struct emu_event *e = emu_lookup(EMU_EVENT, event);
	if (!e)
		return emu_leave(E_INVALID_HANDLE);
	emu_retire(e);
	return emu_leave(0);
}

int cuEventRecord(void *event, void *handle) {
	EMU_ENTER(EMU_CURRENT);
	struct emu_event *e = emu_lookup(EMU_EVENT, event);
	struct emu_stream *s = emu_stream(emu_current(), handle);
	if (!e || !s || e->o.ctx != s->o.ctx)
		return emu_leave(E_INVALID_HANDLE);
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	e->time = (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
	e->stream = s;
	e->seq = emu_enqueue(s, emu_op(EMU_MARK, __func__));
	return emu_leave(0);
}

int cuEventQuery(void *event) {
	EMU_ENTER(EMU_CURRENT);
	struct emu_event *e = emu_lookup(EMU_EVENT, event);
	if (!e)
		return emu_leave(E_INVALID_HANDLE);
	return emu_leave(e->stream ? query(e->stream, e->seq) : 0);
}

int cuEventSynchronize(void *event) {
	EMU_ENTER(EMU_CURRENT);
	struct emu_event *e = emu_lookup(EMU_EVENT, event);
	if (!e)
		return emu_leave(E_INVALID_HANDLE);
	emu_spun += !(e->flags & BLOCKING_SYNC) && emu_spins(e->o.ctx);
	return emu_leave(e->stream ? emu_drive(e->stream, e->seq) : 0);
}

/* cuEventElapsedTime tells the time between the calls that recorded, which is all that an emulation can. */
int cuEventElapsedTime(float *ms, void *start, void *end) {
	EMU_ENTER(EMU_CURRENT);
	struct emu_event *a = emu_lookup(EMU_EVENT, start), *b = emu_lookup(EMU_EVENT, end);
	if (!a || !b || !a->stream || !b->stream || (a->flags | b->flags) & DISABLE_TIMING)
		return emu_leave(E_INVALID_HANDLE);
	if (!ms)
		return emu_leave(E_INVALID_VALUE);
	if (a->stream->done < a->seq || b->stream->done < b->seq)
		return emu_leave(E_NOT_READY);
	*ms = (float)(b->time - a->time);
	return emu_leave(0);
}
