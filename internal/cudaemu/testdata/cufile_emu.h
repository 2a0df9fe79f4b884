/* Inside the emulated libcufile: what its files share. What it does was measured on NVIDIA's libcufile 1.14 and 1.20, in compatibility mode. Where the two
 * differ the option cufile.version decides. Its state is that of the process, under one mutex, which is never held while a file is read.
 *
 * Its options:
 *
 *	cufile.version        as cuFileGetVersion tells it; 0: 1200. It decides codes, defaults and layouts; a binding goes by it for what an older one lacks
 *	cufile.short          k: every k-th read returns about half
 *	cufile.negative       1: cuFileRead returns a code with a minus, as cufile.h says, instead of -1 with the code in errno
 *	cufile.open_delay_us  how long cuFileDriverOpen takes
 *	cufile.hang           1: cuFileDriverOpen doesn't return
 *	cufile.crash          1: cuFileDriverOpen aborts
 *	bar                   bytes of device memory that can be registered, in pieces of 64 KiB; CU_FILE_GPU_MEMORY_PINNING_FAILED beyond
 *	nvfs                  1: nvidia-fs is there, and reads of files with O_DIRECT to device memory count as its
 *	p2p                   1: PCI P2PDMA is there, and those reads count as its, unless nvidia-fs is there too
 *
 * Statistics are those of versions 1.15 to 1.20: the GPUs' counters leave out the reads of batches, which level 1 counts by what carried them. The total is
 * the sum of the others; without nvidia-fs and P2PDMA whole pages of files with O_DIRECT go by asynchronous I/O, and all else by POSIX calls. With the option
 * cufile.batch_uncounted the carriers aren't counted, so that the total is more than their sum.
 *
 * Each exported call can be failed by its name. For cuFileRead a code below 5000 is an errno. The name cuFileBatchIO fails one read of a batch: its event has
 * the code with a minus, and the second number as its status, or 64. What a read leaves behind a short one is filled with 0xDB. */
#ifndef CUFILE_EMU_H
#define CUFILE_EMU_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A CUfileError_t. */
typedef struct {
	int32_t err, cu_err;
} cf_result;

/* The codes that are given here without being injected. */
enum {
	CF_NOT_INITIALIZED = 5001, CF_IO_NOT_SUPPORTED = 5008, CF_CUDA_ERROR = 5011, CF_POINTER_RANGE = 5014, CF_CONTEXT_MISMATCH = 5015, CF_MAPPING_RANGE = 5017,
	CF_FILE_TYPE = 5018, CF_OPEN_FLAG = 5019, CF_INVALID_VALUE = 5022, CF_ALREADY_REGISTERED = 5023, CF_NOT_REGISTERED = 5024, CF_ALREADY_OPEN = 5026,
	CF_HANDLE_NOT_REGISTERED = 5027, CF_HANDLE_REGISTERED = 5028, CF_INTERNAL = 5030, CF_SETUP = 5033, CF_PINNING = 5036, CF_BATCH_FULL = 5037,
	CF_BATCH_SUBMIT = 5040, CF_IO_ERROR = 5044,
};

enum { CF_PAGE = 4096, CF_POISON = 0xDB };

/* The emulated libcuda, opened when first needed. */
struct cf_cuda {
	long (*option)(const char *);
	void (*add)(const char *, long);
	int (*take_fault)(const char *, long *, long *);
	int (*range)(uint64_t, uint64_t *, size_t *, int *, int *);
	int (*device)(int *);
};
const struct cf_cuda *cf_cuda(void); /* or NULL */

extern pthread_mutex_t cf_mutex;

struct cf_handle {
	struct cf_handle *next;
	int fd, flags;
};
struct cf_handle *cf_handle_find(const void *fh); /* with the mutex held, or NULL */
void cf_forget_files(void);                      /* with the mutex held: what the last close of the driver does */

struct cf_stats {
	uint64_t reads, errors, bytes, batch_bytes;
	struct {
		uint64_t total, p2p, nvfs, posix, unaligned;
	} gpu[16];
	struct {
		uint64_t total, p2p, nvfs, posix, aio;
	} batch;
};
extern struct cf_stats cf_stats; /* under the mutex */

int cf_version(void);
int cf_nvfs(void);
int cf_p2p(void);
long cf_option(const char *name);
int cf_compat(void);
int cf_use(void);                                    /* opens the driver unless it is open; 0 or a code. Takes the mutex. */
int cf_begin(const char *call, cf_result *out);      /* counts a call; 1 if it is to end with out, a fault */
int cf_fault(const char *call, long *code, long *cu); /* the fault alone */
cf_result cf_ok(void);
cf_result cf_error(int code);

/* A read: where from, where to, and what is found wrong with it before it begins. */
struct cf_read {
	int fd, direct, device;
	enum { CF_POSIX, CF_NVFS, CF_P2P } by;
	uint64_t to;
	size_t n;
	off_t offset;
	int batch;
};
int cf_prepare(struct cf_read *r, void *fh, void *base, size_t n, off_t offset, off_t buf_offset); /* 0, a code, or an errno */
int cf_unaligned(const struct cf_read *r);
ssize_t cf_transfer(const struct cf_read *r);                                                      /* bytes, or minus an errno */

#endif
