/* Inside the emulated libcuda: what its files share. See ../doc.go for what is emulated.
 *
 * One mutex guards all state. An exported call takes it by EMU_ENTER and gives it back by emu_leave; queued work runs without it. Whoever
 * changes what another may wait for (work done, a context lost) broadcasts emu_changed. */
#ifndef EMU_H
#define EMU_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "ptx.h"

/* CUDA's error numbers, as far as they are given here. */
enum {
	E_OK = 0, E_INVALID_VALUE = 1, E_OUT_OF_MEMORY = 2, E_NOT_INITIALIZED = 3, E_UNAVAILABLE = 46, E_NO_DEVICE = 100, E_INVALID_DEVICE = 101, E_INVALID_IMAGE = 200,
	E_INVALID_CONTEXT = 201, E_PEER_UNSUPPORTED = 217, E_INVALID_PTX = 218, E_INVALID_HANDLE = 400, E_ILLEGAL_STATE = 401, E_NOT_FOUND = 500, E_NOT_READY = 600,
	E_ILLEGAL_ADDRESS = 700, E_ACTIVE = 708, E_DESTROYED = 709, E_REGISTERED = 712, E_NOT_REGISTERED = 713, E_LAUNCH_FAILED = 719, E_NOT_SUPPORTED = 801,
};

enum { EMU_MAX_DEVICES = 8, EMU_PAGE = 4096, EMU_GRANULE = 65536, EMU_POISON = 0xA5, EMU_PATTERN = 0xDB };

/* Objects with handles. A handle is the object's address; an object that was destroyed is never found again, and its address never used again. */
enum emu_kind { EMU_CONTEXT, EMU_STREAM, EMU_EVENT, EMU_MODULE, EMU_FUNCTION, EMU_KINDS };
struct emu_object {
	struct emu_object *next;
	enum emu_kind kind;
	struct emu_ctx *ctx;
};
void *emu_new(enum emu_kind kind, size_t size, struct emu_ctx *ctx);
void *emu_lookup(enum emu_kind kind, const void *handle); /* or NULL */
void emu_retire(void *object);
extern struct emu_object *emu_live[EMU_KINDS];
long emu_live_count(enum emu_kind kind);

struct emu_device {
	struct emu_ctx *primary;
	long retains;
	unsigned flags; /* of the primary context, whether there is one or not */
	uint64_t used; /* bytes of device memory */
	long kernels;  /* that are running */
	int lost;      /* the error that every call gives from the loss on, or 0 */
};
extern struct emu_device emu_devices[EMU_MAX_DEVICES];

struct emu_ctx {
	struct emu_object o;
	int device;
	unsigned flags;
	struct emu_stream *legacy;
	struct emu_stream *streams; /* those destroyed with work left too, until it is done */
};

/* Work is queued in streams, and numbered from 1 in each. An item runs after those before it in its stream and after its waits. */
struct emu_wait {
	struct emu_stream *stream;
	uint64_t seq;
};
enum emu_work { EMU_MARK, EMU_COPY, EMU_FILL, EMU_KERNEL, EMU_HOST_FUNC };
struct emu_op {
	struct emu_op *next;
	enum emu_work work;
	const char *call;
	uint64_t seq;
	struct emu_wait *waits;
	int nwaits;
	/* copy and fill: rows of width bytes */
	uint64_t dst, src;
	size_t dpitch, spitch, width, rows;
	unsigned char value;
	void *staged; /* freed with the item: the copy of what was in host memory that isn't pinned */
	/* kernel: a copy of the arguments, 8 bytes each */
	ptx_function *kernel;
	long *unfinished; /* the module's count of launches that haven't ended */
	char name[128];
	unsigned grid, block, nargs;
	uint64_t args[32];
	void (*func)(void *);
	void *user;
};
struct emu_stream {
	struct emu_object o;
	struct emu_stream *sibling; /* in the context */
	unsigned flags;
	int destroyed, busy, worker;
	uint64_t last, done;
	struct emu_op *head, *tail;
};
struct emu_event {
	struct emu_object o;
	unsigned flags;
	struct emu_stream *stream; /* NULL: never recorded */
	uint64_t seq;
	double time; /* ms */
};

struct emu_op *emu_op(enum emu_work work, const char *call);
void emu_op_free(struct emu_op *op);
uint64_t emu_enqueue(struct emu_stream *s, struct emu_op *op); /* takes op */
int emu_drive(struct emu_stream *s, uint64_t seq);             /* runs or awaits s up to seq; the error of a lost device */
int emu_drive_context(struct emu_ctx *c);
struct emu_ctx *emu_busy_context(void); /* one that has work to do, or NULL */
struct emu_stream *emu_stream(struct emu_ctx *c, void *handle); /* 0 is the legacy stream; NULL: no such stream of the context */
struct emu_stream *emu_stream_new(struct emu_ctx *c, unsigned flags);
void emu_stream_destroy(struct emu_stream *s);
void emu_drop_work(struct emu_ctx *c);
void emu_await_idle(struct emu_ctx *c);
void emu_module_destroy(void *m);
int emu_spins(const struct emu_ctx *c); /* whether a thread that waits in the context spins */

/* Compute modes, of CU_DEVICE_ATTRIBUTE_COMPUTE_MODE. */
enum { EMU_SHARED = 0, EMU_PROHIBITED = 2, EMU_EXCLUSIVE = 3 };
void emu_hold(int device); /* says to other processes what the device's compute mode and its primary context demand */
int emu_held(int device);  /* whether a process that this one descends from has the device for itself */

/* Allocations, and host memory that was registered. */
enum emu_memory { EMU_DEVICE = 1, EMU_MANAGED, EMU_HOST, EMU_HOST_REGISTERED };
struct emu_alloc {
	uint64_t base;
	size_t size;
	enum emu_memory kind;
	struct emu_ctx *ctx;
	uint64_t id;
	void *map;
	size_t map_size;
};
struct emu_alloc *emu_alloc_at(uint64_t p);                 /* the one that holds p, or NULL; valid until the mutex is given back */
int emu_is_device(const struct emu_alloc *a);
void emu_free_context_memory(struct emu_ctx *c);
long emu_guard_damage(void);
long emu_alloc_count(enum emu_memory kind, int bytes);

/* Calls. */
struct emu_call {
	const char *name;
	long count;
	struct emu_call *next;
};
enum emu_need { EMU_NOTHING, EMU_INITIALIZED, EMU_CURRENT };
int emu_enter(struct emu_call *c, enum emu_need need); /* 0 with the mutex taken, or the error that the call returns */
int emu_leave(int rc);
/* EMU_ENTER begins an exported call: it is counted, an injected fault or a missing need returns from it, and the mutex is taken. */
#define EMU_ENTER(need)                                  \
	static struct emu_call emu_self = {.name = __func__}; \
	do {                                                  \
		int emu_rc = emu_enter(&emu_self, need);           \
		if (emu_rc)                                        \
			return emu_rc;                                  \
	} while (0)

extern pthread_mutex_t emu_mutex;
extern pthread_cond_t emu_changed;
extern int emu_initialized;
struct emu_ctx *emu_current(void); /* of this thread, or NULL */
void emu_lose(int device, int code);
int emu_sticky(int code);
void emu_complain(const char *format, ...) __attribute__((format(printf, 1, 2))); /* keeps the text for emu_last_error */
int emu_opt(const char *option); /* emu_option with the mutex held, for options that fit an int */
long emu_opt_long(const char *option);
int emu_fault_locked(const char *call, long *code, long *cu);
extern __thread int emu_running_device; /* 1 + the device whose work this thread runs, or 0 */
extern long emu_leaked, emu_freed_in_use, emu_damage_at_free, emu_spun;

/* Exported beside CUDA's names. */
long emu_get(const char *counter);
void emu_add(const char *counter, long n);
int emu_set(const char *option, long value);
long emu_option(const char *option);
int emu_fail(const char *call, long code, long cu, long after, long times);
int emu_take_fault(const char *call, long *code, long *cu);
void emu_reset(void);
const char *emu_last_error(void);
int emu_check(uint64_t addr, size_t bytes);
int emu_range(uint64_t addr, uint64_t *base, size_t *size, int *kind, int *device);
int emu_lost(int device);
int zarrbench_emulated(void);

#endif
