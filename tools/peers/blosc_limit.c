// The least work that one level of stores of levels can cost by C-Blosc: of each chunk, time x level x y x x, read the header, the
// offsets of the blocks, and the blocks that hold the level, and let C-Blosc decode these straight into a slot of a kept batch.
//
// usage: blosc_limit NAME STORE STEPS LEVELS INDEX PLANE warm|cold THREADS EPOCHS
// NAME is that of the benchmark, INDEX the level's, PLANE its bytes. Cold reads are O_DIRECT, after the files left the page cache.
// Without arguments it only sees if it can run.
// build: cc -O2 -pthread blosc_limit.c -o blosc_limit -ldl    (libblosc.so.1 is loaded when it runs; Debian: libblosc1)
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { HEADER = 16, PAGE = 4096, TABLE = 1 << 16, WINDOWS = 32, THREADS = 64, SLACK = 2 << 20 };

static const char *variables[] = {"geopotential", "u_component_of_wind", "v_component_of_wind"};
enum { VARIABLES = sizeof variables / sizeof *variables };

static int (*decompress)(const void *src, void *dst, size_t size, int threads);
static const char *store;
static int steps, levels, level, cold, threads;
static size_t plane, slot; // bytes
static char *batch, *tables[THREADS], *blocks[THREADS]; // kept
static int first, count; // chunks of the batch

static void fail(const char *what, const char *path) {
	fprintf(stderr, "blosc_limit: %s: %s\n", path, what);
	exit(1);
}

static uint32_t word(const char *p) { // of a little-endian machine, as the frame is
	uint32_t w;
	memcpy(&w, p, sizeof w);
	return w;
}

static void path_of(char *path, size_t size, int chunk) {
	snprintf(path, size, "%s/%s/%d.0.0.0", store, variables[chunk % VARIABLES], chunk / VARIABLES);
}

static char *kept(size_t size) {
	char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) fail("no memory", store);
	madvise(p, size, MADV_HUGEPAGE);
	memset(p, 1, size);
	return p;
}

// fetch reads size bytes from offset on, in whole pages, and returns where in buf they begin.
static char *fetch(int fd, char *buf, size_t size, size_t offset, const char *path) {
	size_t skip = offset % PAGE, whole = (skip + size + PAGE - 1) / PAGE * PAGE, got = 0;
	while (got < skip + size) {
		ssize_t n = pread(fd, buf + got, whole - got, offset - skip + got);
		if (n <= 0) fail("short read", path);
		got += n;
	}
	return buf + skip;
}

// decode reads the blocks of a chunk that hold the level, makes a frame of them, and decodes it to dst.
static void decode(int chunk, char *table, char *body, char *dst) {
	char path[1024];
	path_of(path, sizeof path, chunk);
	int fd = open(path, O_RDONLY | (cold ? O_DIRECT : 0));
	if (fd < 0) fail("can't be opened", path);
	char *head = fetch(fd, table, PAGE, 0, path);
	size_t nbytes = word(head + 4), blocksize = word(head + 8), cbytes = word(head + 12);
	size_t total = (nbytes + blocksize - 1) / blocksize;
	if (head[2] & 2 || nbytes != levels * plane || HEADER + 4 * total > TABLE) fail("another frame than expected", path);
	if (HEADER + 4 * total > PAGE) head = fetch(fd, table, HEADER + 4 * total, 0, path);
	size_t lo = level * plane / blocksize, hi = ((level + 1) * plane - 1) / blocksize + 1, n = hi - lo;
	size_t begin = word(head + HEADER + 4 * lo), end = hi < total ? word(head + HEADER + 4 * hi) : cbytes;
	if (end <= begin || end > cbytes || end - begin > plane + SLACK) fail("its blocks are in another order", path);
	body = fetch(fd, body + PAGE, end - begin, begin, path);
	close(fd);

	size_t front = HEADER + 4 * n, decoded = (hi < total ? hi * blocksize : nbytes) - lo * blocksize;
	if (decoded > slot || front > PAGE) fail("its blocks are too large", path);
	char *frame = body - front; // in the page before the blocks
	memcpy(frame, head, HEADER);
	uint32_t sizes[] = {decoded, blocksize, front + end - begin};
	memcpy(frame + 4, sizes, sizeof sizes);
	for (size_t i = 0; i < n; i++) {
		uint32_t at = word(head + HEADER + 4 * (lo + i)) - begin + front;
		memcpy(frame + HEADER + 4 * i, &at, sizeof at);
	}
	if (decompress(frame, dst, decoded, 1) != (int)decoded) fail("can't be decoded", path);
}

static void *worker(void *number) {
	intptr_t w = (intptr_t)number;
	for (int i = w; i < count; i += threads) decode(first + i, tables[w], blocks[w], batch + i * slot);
	return 0;
}

static void drop(void) {
	for (int i = 0; i < steps * VARIABLES; i++) {
		char path[1024];
		path_of(path, sizeof path, i);
		int fd = open(path, O_RDONLY);
		if (fd < 0 || fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)) fail("stays in the page cache", path);
		close(fd);
	}
}

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
	void *library = dlopen("libblosc.so.1", RTLD_NOW);
	if (!library || !(decompress = dlsym(library, "blosc_decompress_ctx"))) fail(dlerror(), "C-Blosc");
	if (argc == 1) return 0; // it can run
	if (argc != 10) fail("want NAME STORE STEPS LEVELS INDEX PLANE warm|cold THREADS EPOCHS", "usage");
	store = argv[2], steps = atoi(argv[3]), levels = atoi(argv[4]), level = atoi(argv[5]), plane = atol(argv[6]);
	cold = !strcmp(argv[7], "cold"), threads = atoi(argv[8]);
	if (threads < 1 || threads > THREADS) fail("want 1 to 64 threads", "usage");
	slot = (plane + SLACK + PAGE - 1) / PAGE * PAGE; // the first and the last block have more than the level
	batch = kept(2 * WINDOWS * VARIABLES * slot);
	for (int i = 0; i < threads; i++) {
		tables[i] = kept(TABLE + PAGE);
		blocks[i] = kept(plane + SLACK + 4 * PAGE);
	}
	printf("cache: %s\n", argv[7]);
	for (int epoch = 0; epoch <= atoi(argv[9]); epoch++) { // the first is not timed
		if (cold) drop();
		double start = now();
		for (first = 0; first < steps * VARIABLES; first += count) {
			pthread_t all[THREADS];
			count = 2 * WINDOWS * VARIABLES;
			if (count > steps * VARIABLES - first) count = steps * VARIABLES - first;
			for (intptr_t i = 0; i < threads; i++) pthread_create(&all[i], 0, worker, (void *)i);
			for (int i = 0; i < threads; i++) pthread_join(all[i], 0);
		}
		double took = now() - start;
		if (epoch > 0) printf("Benchmark%s 1 %.0f ns/op %.2f MB/s\n", argv[1], took * 1e9, steps * VARIABLES * plane / took / 1e6);
		fflush(stdout);
	}
}
