// The kernels of the GPU engines. generate.sh makes kernels.ptx of them with clang alone: there are no headers, so what they
// need is declared here. Every parameter is eight bytes long, a pointer or a u64, so that a launch passes an array of u64.
// Bytes and elements are counted in 64 bits throughout: a batch may be longer than 4 GiB.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef u32 u32x4 __attribute__((ext_vector_type(4)));
typedef u64 u64x2 __attribute__((ext_vector_type(2)));

#define KERNEL extern "C" __attribute__((global)) __attribute__((launch_bounds(BLOCK))) void
#define SHARED static __attribute__((shared))
#define DEVICE static inline __attribute__((device)) __attribute__((always_inline))

// What kernels.go says too.
#define BLOCK 256    // threads of a block, in every kernel
#define SEGMENT 4096 // elements of a segment
#define LANES 16     // lanes of a segment
#define COLUMNS 16   // units that a thread of a row kernel moves of a row

DEVICE u32 thread_index() { return __nvvm_read_ptx_sreg_tid_x(); }
DEVICE u64 block_index() { return (u64)__nvvm_read_ptx_sreg_ctaid_x(); }
DEVICE u64 blocks() { return (u64)__nvvm_read_ptx_sreg_nctaid_x(); }

// segment_squares: one thread a lane, 16 threads a segment. The squares of a lane are exact in a double, so that fma rounds
// where an addition would, and nowhere else. All threads of a block take the same number of turns, since they meet at barriers.
KERNEL segment_squares(const u8 *a, const u8 *b, u64 stride_a, u64 stride_b, u64 elements, u64 segments, u64 planes, double *out) {
	SHARED double sums[BLOCK];
	u32 tid = thread_index(), lane = tid % LANES;
	u64 total = segments * planes;
	for (u64 first = block_index() * (BLOCK / LANES); first < total; first += blocks() * (BLOCK / LANES)) {
		u64 at = first + tid / LANES;
		double sum = 0;
		if (at < total) {
			u64 plane = at / segments, segment = at % segments;
			u64 left = elements - segment * SEGMENT;
			u32 n = left < SEGMENT ? (u32)left : SEGMENT;
			const float *x = (const float *)(a + plane * stride_a) + segment * SEGMENT;
			const float *y = (const float *)(b + plane * stride_b) + segment * SEGMENT;
#pragma unroll 8
			for (u32 i = lane; i < n; i += LANES) {
				double d = (double)(x[i] - y[i]);
				sum = __builtin_fma(d, d, sum);
			}
		}
		sums[tid] = sum;
		__syncthreads();
#pragma unroll 1
		for (u32 half = LANES / 2; half > 0; half /= 2) {
			if (lane < half)
				sums[tid] += sums[tid + half];
			__syncthreads();
		}
		if (lane == 0 && at < total)
			out[at] = sums[tid];
		__syncthreads(); // before the next turn overwrites the sums
	}
}

// plane_sums: one thread a plane, which adds its segments in order.
KERNEL plane_sums(const double *in, u64 segments, u64 planes, double *out) {
	for (u64 plane = block_index() * BLOCK + thread_index(); plane < planes; plane += blocks() * BLOCK) {
		double sum = 0;
		for (u64 i = 0; i < segments; i++)
			sum += in[plane * segments + i];
		out[plane] = sum;
	}
}

// plane_crcs: one thread a piece, 16 bytes a load, four bytes a step through four tables in shared memory.
KERNEL plane_crcs(const u8 *base, u64 stride, u64 bytes, u64 pieces, u64 piece_bytes, u64 planes, const u32 *table, u32 *out) {
	SHARED u32 t[4 * 256];
	for (u32 i = thread_index(); i < 4 * 256; i += BLOCK)
		t[i] = table[i];
	__syncthreads();
	u64 total = pieces * planes;
	for (u64 at = block_index() * BLOCK + thread_index(); at < total; at += blocks() * BLOCK) {
		u64 plane = at / pieces, start = at % pieces * piece_bytes;
		u64 left = bytes - start;
		u64 n = left < piece_bytes ? left : piece_bytes;
		const u8 *p = base + plane * stride + start;
		u32 crc = ~0u;
		for (; n > 0 && ((u64)p & 15); n--)
			crc = crc >> 8 ^ t[(crc ^ *p++) & 255];
		for (; n >= 16; n -= 16, p += 16) {
			u32x4 v = *(const u32x4 *)p;
#pragma unroll
			for (int i = 0; i < 4; i++) {
				crc ^= v[i];
				crc = t[768 + (crc & 255)] ^ t[512 + (crc >> 8 & 255)] ^ t[256 + (crc >> 16 & 255)] ^ t[crc >> 24];
			}
		}
		for (; n > 0; n--)
			crc = crc >> 8 ^ t[(crc ^ *p++) & 255];
		out[at] = ~crc;
	}
}

// A span is where a thread works in a matrix of rows: a group of threads, as many as the row has units, up to the whole block,
// takes the units of one row, COLUMNS units a thread and turn; the block's other groups take the rows that follow.
struct span {
	u64 units, turns, tiles; // of a row; turns of a row; turns in all
	u32 group, groups;       // threads of a row, rows of a block
	u32 row, column;         // this thread's, in the block
};

DEVICE span span_of(u64 units, u64 rows) {
	u32 shift = 0; // of the group, a power of two
	while (1u << shift < BLOCK && 1u << shift < units)
		shift++;
	span s;
	s.units = units;
	s.group = 1u << shift;
	s.groups = BLOCK >> shift;
	s.turns = (units + s.group * COLUMNS - 1) / (s.group * COLUMNS);
	s.tiles = s.turns * ((rows + s.groups - 1) / s.groups);
	s.row = thread_index() >> shift;
	s.column = thread_index() & (s.group - 1);
	return s;
}

template <typename T> DEVICE void copy_units(u8 *dst, u64 dst_pitch, const u8 *src, u64 src_pitch, u64 width, u64 rows) {
	span s = span_of(width / sizeof(T), rows);
	for (u64 tile = block_index(); tile < s.tiles; tile += blocks()) {
		u64 row = tile / s.turns * s.groups + s.row;
		if (row >= rows)
			continue;
		u64 from = tile % s.turns * (s.group * COLUMNS), end = from + s.group * COLUMNS;
		if (end > s.units)
			end = s.units;
		T *to = (T *)(dst + row * dst_pitch);
		const T *of = (const T *)(src + row * src_pitch);
#pragma unroll 4
		for (u64 i = from + s.column; i < end; i += s.group)
			to[i] = of[i];
	}
}

// copy_rows: rows of bytes, in the widest units that everything is a multiple of.
KERNEL copy_rows(u8 *dst, u64 dst_pitch, const u8 *src, u64 src_pitch, u64 width, u64 rows) {
	u64 all = (u64)dst | dst_pitch | (u64)src | src_pitch | width;
	if (!(all & 15))
		copy_units<u32x4>(dst, dst_pitch, src, src_pitch, width, rows);
	else if (!(all & 3))
		copy_units<u32>(dst, dst_pitch, src, src_pitch, width, rows);
	else
		copy_units<u8>(dst, dst_pitch, src, src_pitch, width, rows);
}

// The unit of a pattern of 16 bytes that stands at index i of a row.
DEVICE u64x2 pattern_at(u64 lo, u64 hi, u64 i, u64x2) { return u64x2{lo, hi}; }
DEVICE u32 pattern_at(u64 lo, u64 hi, u64 i, u32) { return (u32)((i & 2 ? hi : lo) >> (i & 1) * 32); }
DEVICE u8 pattern_at(u64 lo, u64 hi, u64 i, u8) { return (u8)((i & 8 ? hi : lo) >> (i & 7) * 8); }

template <typename T> DEVICE void fill_units(u8 *dst, u64 dst_pitch, u64 lo, u64 hi, u64 width, u64 rows) {
	span s = span_of(width / sizeof(T), rows);
	for (u64 tile = block_index(); tile < s.tiles; tile += blocks()) {
		u64 row = tile / s.turns * s.groups + s.row;
		if (row >= rows)
			continue;
		u64 from = tile % s.turns * (s.group * COLUMNS), end = from + s.group * COLUMNS;
		if (end > s.units)
			end = s.units;
		T *to = (T *)(dst + row * dst_pitch);
		for (u64 i = from + s.column; i < end; i += s.group)
			to[i] = pattern_at(lo, hi, i, T());
	}
}

// fill_pattern: rows of one element of 1, 2, 4, 8 or 16 bytes, whose pattern is repeated to 16 bytes first.
KERNEL fill_pattern(u8 *dst, u64 dst_pitch, u64 lo, u64 hi, u64 size, u64 elements, u64 rows) {
	if (size == 1)
		lo = (lo & 0xff) * 0x0101010101010101;
	if (size == 2)
		lo = (lo & 0xffff) * 0x0001000100010001;
	if (size == 4)
		lo = (lo & 0xffffffff) * 0x0000000100000001;
	if (size < 16)
		hi = lo;
	u64 width = elements * size, all = (u64)dst | dst_pitch | width;
	if (!(all & 15))
		fill_units<u64x2>(dst, dst_pitch, lo, hi, width, rows);
	else if (!(all & 3))
		fill_units<u32>(dst, dst_pitch, lo, hi, width, rows);
	else
		fill_units<u8>(dst, dst_pitch, lo, hi, width, rows);
}

// What copy_boxes reads for each box, in 32 bytes.
struct box {
	u64 dst;
	u32 src, src_pitch, dst_pitch, width, rows, unused;
};

template <typename T> DEVICE void copy_box(const box &b, u8 *dst, const u8 *src) {
	u32 units = b.width / sizeof(T), all = units * b.rows;
#pragma unroll 2
	for (u32 i = thread_index(); i < all; i += BLOCK) {
		u32 row = i / units, column = i - row * units;
		((T *)(dst + (u64)row * b.dst_pitch))[column] = ((const T *)(src + (u64)row * b.src_pitch))[column];
	}
}

// copy_boxes: one block a box of rows, which holds less than 4 GiB. The boxes start on multiples of 16.
KERNEL copy_boxes(const u8 *src, const box *boxes, u64 count) {
	for (u64 at = block_index(); at < count; at += blocks()) {
		const u32x4 *words = (const u32x4 *)(boxes + at);
		u32x4 x = words[0], y = words[1];
		box b = {(u64)x[1] << 32 | x[0], x[2], x[3], y[0], y[1], y[2], 0};
		u8 *to = (u8 *)b.dst;
		const u8 *of = src + b.src;
		u32 bits = (u32)b.dst | (u32)(u64)of | b.src_pitch | b.dst_pitch | b.width;
		if (!(bits & 15))
			copy_box<u32x4>(b, to, of);
		else if (!(bits & 3))
			copy_box<u32>(b, to, of);
		else
			copy_box<u8>(b, to, of);
	}
}
