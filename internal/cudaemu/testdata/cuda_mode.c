/* Compute modes. A process that has a device for itself says so by an abstract socket, whose name has its number: processes that it has
 * started, of whatever options, find the device taken. Other processes are no concern of a test's. */
#define _GNU_SOURCE
#include "emu.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int held[EMU_MAX_DEVICES]; /* 1 + the socket, or 0 */

/* with makes a socket and calls bind or connect with the name of a process and a device. It returns the socket, or -1 after an error. */
static int with(int (*call)(int, const struct sockaddr *, socklen_t), int device, int pid) {
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "zarrbench-emulated-gpu-%d-%d", device, pid);
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -1;
	if (!call(s, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)))
		return s;
	close(s);
	return -1;
}

void emu_hold(int device) {
	int hold = emu_opt("compute_mode") == EMU_EXCLUSIVE && emu_devices[device].primary;
	if (hold && !held[device]) {
		held[device] = 1 + with(bind, device, getpid());
	} else if (!hold && held[device]) {
		close(held[device] - 1);
		held[device] = 0;
	}
}

/* parent returns the process that started another, or 0. */
static int parent(int pid) {
	char name[64], line[512];
	snprintf(name, sizeof name, "/proc/%d/stat", pid);
	FILE *f = fopen(name, "re");
	if (!f)
		return 0;
	size_t n = fread(line, 1, sizeof line - 1, f);
	fclose(f);
	line[n] = 0;
	char *end = strrchr(line, ')'); /* of the program's name */
	int up;
	return end && sscanf(end + 1, " %*c %d", &up) == 1 ? up : 0;
}

/* It connects, which leaves no trace: two processes that have the same parents may ask at the same moment. */
int emu_held(int device) {
	for (int pid = parent(getpid()); pid > 0; pid = parent(pid)) {
		int s = with(connect, device, pid);
		if (s >= 0) {
			close(s);
			return 1;
		}
	}
	return 0;
}
