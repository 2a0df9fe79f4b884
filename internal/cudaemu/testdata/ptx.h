// A small interpreter of PTX, which stands in for a GPU in tests. It is strict where a driver or a GPU is, and where they are
// not but a kernel should be: an opcode, modifier or directive that it does not know is an error when the program is loaded;
// a misaligned address, memory that nobody allocated, a register or shared memory that was never written, two threads at
// one place of shared memory without a barrier between them, and threads of a block that do not meet at the same barrier are
// errors of the launch. Memory models, warps and the cost of anything are not modelled.
//
// Compile ptx.c, ptx_parse.c and ptx_decode.c together, with -ffp-contract=off and -pthread.
#ifndef PTX_H
#define PTX_H

#include <stddef.h>
#include <stdint.h>

typedef struct ptx_module ptx_module;
typedef struct ptx_function ptx_function;

// ptx_load reads a program, a string that ends with a zero, which it copies. It returns 0, or -1 with a sentence in err.
int ptx_load(const char *image, ptx_module **out, char *err, size_t n);
void ptx_free(ptx_module *m);

// ptx_target returns the architecture that the program asks for, 50 for sm_50; ptx_version 50 for version 5.0.
int ptx_target(const ptx_module *m);
int ptx_version(const ptx_module *m);

// ptx_find returns the kernel of that name, or NULL. It belongs to its module.
ptx_function *ptx_find(ptx_module *m, const char *name);

// ptx_params returns the number of a kernel's parameters.
int ptx_params(const ptx_function *f);

// ptx_launch runs a kernel to its end; params points to a pointer to each parameter's value. Blocks run on several threads,
// in no order, and the threads of a block in turn. It returns 0, or -1 with a sentence in err that names the instruction.
// Launches may run at the same time.
int ptx_launch(ptx_function *f, unsigned grid, unsigned block, void **params, char *err, size_t n);

// emu_check is given by whoever links the interpreter: it returns 1 if these bytes are device memory that is allocated, and
// otherwise 0. It is called for every access to global memory, by several threads at once.
extern int emu_check(uint64_t addr, size_t bytes);

#endif
