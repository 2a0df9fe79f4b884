// Device memory for tests of the interpreter alone: the ranges that a test says there are.
#include "ptx.h"

enum { MOST = 64 };
static struct { uint64_t first, bytes; } ranges[MOST];
static int count;

void memory_clear(void) { count = 0; }

// Not while anything is launched.
int memory_add(uint64_t first, uint64_t bytes) {
	if (count == MOST)
		return -1;
	ranges[count].first = first;
	ranges[count].bytes = bytes;
	count++;
	return 0;
}

int emu_check(uint64_t addr, size_t bytes) {
	for (int i = 0; i < count; i++)
		if (addr - ranges[i].first < ranges[i].bytes)
			return bytes <= ranges[i].bytes - (addr - ranges[i].first);
	return 0;
}
