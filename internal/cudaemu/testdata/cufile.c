/* The driver of the emulated libcufile: opening and closing, properties, parameters and statistics. */
#include "cufile_emu.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

pthread_mutex_t cf_mutex = PTHREAD_MUTEX_INITIALIZER;
struct cf_stats cf_stats;
static long opens;        /* how often the driver is open */
static int level;         /* of statistics */
static bool compat_off;   /* compatibility mode is forbidden: staged until the driver is opened, then so */
static struct cf_cuda cuda;
static bool have_cuda;

int zarrbench_emulated(void);
int zarrbench_emulated(void) { return 1; }

static void find_cuda(void) {
	void *lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
	if (!lib)
		return;
	*(void **)&cuda.option = dlsym(lib, "emu_option");
	*(void **)&cuda.add = dlsym(lib, "emu_add");
	*(void **)&cuda.take_fault = dlsym(lib, "emu_take_fault");
	*(void **)&cuda.range = dlsym(lib, "emu_range");
	*(void **)&cuda.device = dlsym(lib, "cuCtxGetDevice");
	have_cuda = cuda.option && cuda.add && cuda.take_fault && cuda.range && cuda.device;
}

const struct cf_cuda *cf_cuda(void) {
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, find_cuda);
	return have_cuda ? &cuda : NULL;
}

long cf_option(const char *name) { return cf_cuda() ? cuda.option(name) : 0; }

int cf_version(void) {
	long v = cf_option("cufile.version");
	return v ? (int)v : 1200;
}
int cf_nvfs(void) { return cf_option("nvfs") != 0; }
int cf_p2p(void) { return cf_option("p2p") && !cf_nvfs(); }
int cf_compat(void) { return !compat_off; }

cf_result cf_ok(void) { return (cf_result){0, 0}; }
cf_result cf_error(int code) { return (cf_result){code, 0}; }

int cf_fault(const char *call, long *code, long *cu) { return cf_cuda() && cuda.take_fault(call, code, cu); }

int cf_begin(const char *call, cf_result *out) {
	char counter[64];
	long code, cu;
	if (!cf_cuda())
		return 0;
	snprintf(counter, sizeof counter, "calls.%s", call);
	cuda.add(counter, 1);
	if (!cuda.take_fault(call, &code, &cu))
		return 0;
	*out = (cf_result){(int32_t)code, (int32_t)cu};
	return 1;
}

/* BEGIN begins an exported call that returns a CUfileError_t. */
#define BEGIN                          \
	cf_result fault;                    \
	if (cf_begin(__func__, &fault))     \
	return fault

static cf_result open_driver(void) {
	if (!cf_cuda())
		return cf_error(CF_SETUP);
	if (!cf_nvfs() && !cf_p2p() && compat_off && !opens)
		return cf_error(CF_NOT_INITIALIZED);
	opens++;
	cuda.add("driver_opens", 1);
	return cf_ok();
}

int cf_use(void) {
	pthread_mutex_lock(&cf_mutex);
	cf_result r = opens ? cf_ok() : open_driver();
	pthread_mutex_unlock(&cf_mutex);
	return r.err;
}

cf_result cuFileDriverOpen(void);
cf_result cuFileDriverOpen(void) {
	BEGIN;
	for (volatile long hang = cf_option("cufile.hang"); hang;) /* as without /proc/modules */
		;
	if (cf_option("cufile.crash")) { /* as in some containers and under WSL */
		fputs("emulated libcufile: aborts in the driver's open\n", stderr);
		abort();
	}
	usleep((useconds_t)cf_option("cufile.open_delay_us"));
	pthread_mutex_lock(&cf_mutex);
	cf_result r = open_driver();
	pthread_mutex_unlock(&cf_mutex);
	return r;
}

cf_result cuFileDriverClose_v2(void);
cf_result cuFileDriverClose_v2(void) {
	BEGIN;
	cf_result r = cf_error(CF_NOT_INITIALIZED);
	pthread_mutex_lock(&cf_mutex);
	if (opens) {
		r = cf_ok();
		cuda.add("driver_opens", -1);
		if (!--opens) {
			cf_forget_files();
			level = 0;
			compat_off = false;
		}
	}
	pthread_mutex_unlock(&cf_mutex);
	return r;
}

cf_result cuFileDriverClose(void);
cf_result cuFileDriverClose(void) { return cuFileDriverClose_v2(); }

long cuFileUseCount(void);
long cuFileUseCount(void) {
	pthread_mutex_lock(&cf_mutex);
	long n = opens;
	pthread_mutex_unlock(&cf_mutex);
	return n;
}

cf_result cuFileGetVersion(int *version);
cf_result cuFileGetVersion(int *version) {
	BEGIN;
	if (!version)
		return cf_error(CF_INVALID_VALUE);
	*version = cf_version();
	return cf_ok();
}

#define MAX_PINNED 18014398509481980ul /* KiB: no limit */

struct properties {
	uint32_t major, minor;
	size_t poll_threshold, max_direct_io;
	uint32_t status, control, features, device_cache, buffer_cache, pinned, batch, batch_timeout;
};
_Static_assert(sizeof(struct properties) == 56, "layout of CUfileDrvProps_t");

cf_result cuFileDriverGetProperties(struct properties *p);
cf_result cuFileDriverGetProperties(struct properties *p) {
	BEGIN;
	if (!p)
		return cf_error(CF_INVALID_VALUE);
	int newer = cf_version() >= 1190;
	*p = (struct properties){
		.major = cf_nvfs() ? 2 : 0, .minor = cf_nvfs() ? 25 : 0, .poll_threshold = 4, .max_direct_io = newer ? 16384 : 1024,
		.status = cf_nvfs() ? 1u << 4 : 0, .control = compat_off ? 0 : 2, .features = (newer ? 15 : 7) | (cf_p2p() ? 16 : 0), .device_cache = 131072, .buffer_cache = newer ? 1024 : 0,
		.pinned = (uint32_t)MAX_PINNED, .batch = 128, .batch_timeout = 5,
	};
	return cf_ok();
}

cf_result cuFileGetParameterSizeT(int parameter, size_t *value);
cf_result cuFileGetParameterSizeT(int parameter, size_t *value) {
	static const size_t older[] = {0, 128, 0, 1024, 0, 1024, 131072, 1024, MAX_PINNED, 128, 4, 5};
	BEGIN;
	if (parameter < 0 || parameter > 11 || !value)
		return cf_error(CF_INVALID_VALUE);
	*value = older[parameter];
	if (cf_version() >= 1190)
		*value = parameter == 2 ? 8 : parameter == 4 ? 4 : parameter == 5 ? 16384 : *value;
	return cf_ok();
}

cf_result cuFileGetParameterBool(int parameter, bool *value);
cf_result cuFileGetParameterBool(int parameter, bool *value) {
	BEGIN;
	int newer = cf_version() >= 1190;
	if (parameter < 0 || parameter > (newer ? 13 : 11) || (newer && parameter == 5) || !value)
		return cf_error(CF_INVALID_VALUE);
	*value = parameter == 1 ? !compat_off : parameter == 4 ? newer : parameter == 6;
	return cf_ok();
}

cf_result cuFileSetParameterBool(int parameter, bool value);
cf_result cuFileSetParameterBool(int parameter, bool value) {
	BEGIN;
	if (parameter < 0 || parameter > (cf_version() >= 1190 ? 13 : 11))
		return cf_error(CF_INVALID_VALUE);
	pthread_mutex_lock(&cf_mutex);
	int code = opens ? CF_ALREADY_OPEN : 0;
	if (!code && parameter == 1)
		compat_off = !value;
	pthread_mutex_unlock(&cf_mutex);
	return cf_error(code);
}

cf_result cuFileGetParameterString(int parameter, char *text, int n);
cf_result cuFileGetParameterString(int parameter, char *text, int n) {
	BEGIN;
	const char *path = getenv("CUFILE_LOGFILE_PATH");
	const char *values[] = {"WARN", path ? path : "", ""};
	if (parameter < 0 || parameter > 2 || !text || n < (int)strlen(values[parameter]) + 1)
		return cf_error(CF_INVALID_VALUE);
	strcpy(text, values[parameter]);
	return cf_ok();
}

cf_result cuFileGetBARSizeInKB(int gpu, size_t *kb);
cf_result cuFileGetBARSizeInKB(int gpu, size_t *kb) {
	BEGIN;
	if (gpu < 0 || gpu >= cf_option("devices") || !kb)
		return cf_error(CF_INVALID_VALUE);
	*kb = (size_t)cf_option("bar") >> 10;
	return cf_ok();
}

/* Statistics. */
cf_result cuFileSetStatsLevel(int to);
cf_result cuFileSetStatsLevel(int to) {
	BEGIN;
	if (to < 0 || to > 3)
		return cf_error(CF_INVALID_VALUE);
	pthread_mutex_lock(&cf_mutex);
	level = to;
	pthread_mutex_unlock(&cf_mutex);
	return cf_ok();
}

cf_result cuFileStatsStart(void);
cf_result cuFileStatsStart(void) {
	BEGIN;
	return cf_error(cuFileUseCount() ? 0 : CF_NOT_INITIALIZED);
}

/* A CUfileStatsLevel3_t is three structures inside each other, of which version 1.19 made the first longer. */
cf_result cuFileGetStatsL3(unsigned char *out);
cf_result cuFileGetStatsL3(unsigned char *out) {
	BEGIN;
	size_t gpus = cf_version() >= 1190 ? 1136 : 1024;
	pthread_mutex_lock(&cf_mutex);
	if (!out || level < 3) {
		pthread_mutex_unlock(&cf_mutex);
		return cf_error(CF_INVALID_VALUE);
	}
	memset(out, 0, gpus + 8 + 16 * 248);
#define PUT(at, value) memcpy(out + (at), &(uint64_t){value}, 8)
	PUT(0, cf_stats.reads);
	PUT(8, cf_stats.errors);
	PUT(96, cf_stats.bytes);
	PUT(272, cf_stats.batch.posix);
	PUT(304, cf_stats.batch.posix);
	PUT(320, cf_stats.batch.nvfs);
	PUT(336, cf_stats.batch.p2p);
	PUT(352, cf_stats.batch.aio);
	PUT(384, cf_stats.batch.posix);
	PUT(400, cf_stats.batch.total);
	PUT(416, cf_stats.batch_bytes);
	uint32_t n = (uint32_t)cf_option("devices");
	memcpy(out + gpus, &n, 4);
	for (uint32_t i = 0; i < n && i < 16; i++) {
		size_t gpu = gpus + 8 + i * 248;
		PUT(gpu + 48, cf_stats.gpu[i].total);
		PUT(gpu + 56, cf_stats.gpu[i].p2p);
		PUT(gpu + 64, cf_stats.gpu[i].nvfs);
		PUT(gpu + 72, cf_stats.gpu[i].posix);
		PUT(gpu + 80, cf_stats.gpu[i].unaligned);
	}
	pthread_mutex_unlock(&cf_mutex);
	return cf_ok();
}
