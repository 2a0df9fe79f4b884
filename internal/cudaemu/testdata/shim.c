/* A library to be preloaded where the kernel has no /proc/modules or no udev runs, as in small virtual machines. NVIDIA's libcufile reads both: without the
 * first it reads for ever, and without the second it takes no block device. What is there is left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#undef stat
#undef stat64

static int missing(const char *path) { return syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0; }

/* record returns a new descriptor of what udev would say of a disk with a file system. */
static int record(void) {
	static const char text[] = "E:ID_FS_TYPE=ext4\nE:ID_FS_USAGE=filesystem\n";
	int fd = memfd_create("udev", MFD_CLOEXEC);
	if (fd >= 0 && (write(fd, text, sizeof text - 1) < 0 || lseek(fd, 0, SEEK_SET) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int is_record(const char *path) { return path && !strncmp(path, "/run/udev/data/b", 16) && missing(path); }

static const char *other(const char *path) {
	if (path && !strcmp(path, "/proc/modules") && missing(path))
		return "/dev/null";
	if (path && (!strcmp(path, "/run/udev") || !strcmp(path, "/run/udev/data")) && missing(path))
		return "/proc/self/fdinfo"; /* any folder */
	return path;
}

static int open_at(int dir, const char *path, int flags, mode_t mode) {
	if (is_record(path))
		return record();
	return (int)syscall(SYS_openat, dir, other(path), flags, mode);
}

#ifdef O_LARGEFILE
#define LARGE O_LARGEFILE
#else
#define LARGE 0
#endif

#define OPEN(name, dir, extra, ...)                             \
	int name(__VA_ARGS__, int flags, ...) {                      \
		mode_t mode = 0;                                          \
		if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) { \
			va_list args;                                           \
			va_start(args, flags);                                  \
			mode = va_arg(args, mode_t);                            \
			va_end(args);                                           \
		}                                                         \
		return open_at(dir, path, flags | (extra), mode);         \
	}
OPEN(open, AT_FDCWD, 0, const char *path)
OPEN(open64, AT_FDCWD, LARGE, const char *path)
OPEN(openat, dirfd, 0, int dirfd, const char *path)
OPEN(openat64, dirfd, LARGE, int dirfd, const char *path)

/* The names that fortified programs call. */
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags) { return open_at(AT_FDCWD, path, flags | LARGE, 0); }
int __openat_2(int dir, const char *path, int flags);
int __openat_2(int dir, const char *path, int flags) { return open_at(dir, path, flags, 0); }
int __openat64_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags) { return open_at(dir, path, flags | LARGE, 0); }

#define FOPEN(name)                                                    \
	FILE *name(const char *path, const char *mode) {                    \
		static FILE *(*real)(const char *, const char *);                \
		if (!real)                                                       \
			*(void **)&real = dlsym(RTLD_NEXT, #name);                    \
		if (is_record(path)) {                                           \
			int fd = record();                                            \
			return fd < 0 ? NULL : fdopen(fd, "r");                       \
		}                                                                \
		return real(other(path), mode);                                  \
	}
FOPEN(fopen)
FOPEN(fopen64)

/* What asks whether a path is there gets the answer of what open would give. */
#define ANY_DISK "/dev/null"
int access(const char *path, int mode) { return faccessat(AT_FDCWD, is_record(path) ? ANY_DISK : other(path), mode, 0); }

#define STAT(name, type)                                       \
	int name(const char *path, struct type *st) {               \
		static int (*real)(const char *, struct type *);         \
		if (!real)                                               \
			*(void **)&real = dlsym(RTLD_NEXT, #name);            \
		return real(is_record(path) ? ANY_DISK : other(path), st); \
	}
STAT(stat, stat)
STAT(stat64, stat64)
