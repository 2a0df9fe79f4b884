/* Modules and kernels. PTX is read and run by ptx.c. */
#include "emu.h"

#include <string.h>

struct module {
	struct emu_object o;
	ptx_module *ptx;
	long unfinished; /* launches of its functions that haven't ended */
};
struct function {
	struct emu_object o;
	struct module *module;
	ptx_function *ptx;
	unsigned params;
	char name[128];
};

int cuModuleLoadData(void **out, const void *image) {
	EMU_ENTER(EMU_CURRENT);
	if (!out || !image)
		return emu_leave(E_INVALID_VALUE);
	if (!memcmp(image, "\177ELF", 4) || !memcmp(image, "\x50\xed\x55\xba", 4))
		return emu_leave(E_INVALID_IMAGE); /* machine code, which nothing here runs */
	char err[256] = "";
	ptx_module *ptx = NULL;
	if (ptx_load(image, &ptx, err, sizeof err)) {
		emu_complain("PTX: %s", err);
		return emu_leave(E_INVALID_PTX);
	}
	struct module *m = emu_new(EMU_MODULE, sizeof *m, emu_current());
	m->ptx = ptx;
	*out = m;
	return emu_leave(0);
}

/* emu_module_destroy ends a module whose work has ended. */
void emu_module_destroy(void *handle) {
	struct module *m = handle;
	for (struct emu_object *o = emu_live[EMU_FUNCTION], *next; o; o = next) {
		next = o->next;
		if (((struct function *)o)->module == m)
			emu_retire(o);
	}
	emu_retire(m);
	ptx_free(m->ptx);
}

int cuModuleUnload(void *handle) {
	EMU_ENTER(EMU_CURRENT);
	struct module *m = emu_lookup(EMU_MODULE, handle);
	if (!m || m->o.ctx != emu_current())
		return emu_leave(E_INVALID_HANDLE);
	if (m->unfinished) {
		/* Nothing says that a driver waits here, or that the code stays until it has run. */
		emu_complain("a module is unloaded that %ld launches still run or will run", m->unfinished);
		return emu_leave(E_ILLEGAL_STATE);
	}
	emu_module_destroy(m);
	return emu_leave(0);
}

int cuModuleGetFunction(void **out, void *handle, const char *name) {
	EMU_ENTER(EMU_CURRENT);
	struct module *m = emu_lookup(EMU_MODULE, handle);
	if (!out || !name)
		return emu_leave(E_INVALID_VALUE);
	if (!m || m->o.ctx != emu_current())
		return emu_leave(E_INVALID_HANDLE);
	for (struct emu_object *o = emu_live[EMU_FUNCTION]; o; o = o->next) {
		struct function *f = (struct function *)o;
		if (f->module == m && !strcmp(f->name, name)) {
			*out = f;
			return emu_leave(0);
		}
	}
	ptx_function *ptx = strlen(name) < sizeof ((struct function *)0)->name ? ptx_find(m->ptx, name) : NULL;
	if (!ptx || (unsigned)ptx_params(ptx) > sizeof ((struct emu_op *)0)->args / 8)
		return emu_leave(E_NOT_FOUND);
	struct function *f = emu_new(EMU_FUNCTION, sizeof *f, m->o.ctx);
	f->module = m;
	f->ptx = ptx;
	f->params = (unsigned)ptx_params(ptx);
	strcpy(f->name, name);
	*out = f;
	return emu_leave(0);
}

/* cuLaunchKernel takes what the interpreter does: one dimension, no dynamic shared memory, and arguments of 8 bytes, which it copies before it returns. */
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *stream,
	void **params, void **extra) {
	EMU_ENTER(EMU_CURRENT);
	struct function *f = emu_lookup(EMU_FUNCTION, function);
	struct emu_stream *s = emu_stream(emu_current(), stream);
	if (!f || !s || f->o.ctx != emu_current())
		return emu_leave(E_INVALID_HANDLE);
	if (!gx || !bx || gx > INT32_MAX || bx > 1024 || !gy || !gz || !by || !bz || (f->params && !params))
		return emu_leave(E_INVALID_VALUE);
	if (gy != 1 || gz != 1 || by != 1 || bz != 1 || shared || extra)
		return emu_leave(E_NOT_SUPPORTED);
	struct emu_op *op = emu_op(EMU_KERNEL, __func__);
	op->kernel = f->ptx;
	op->unfinished = &f->module->unfinished;
	f->module->unfinished++;
	op->grid = gx;
	op->block = bx;
	op->nargs = f->params;
	for (unsigned i = 0; i < f->params; i++)
		memcpy(&op->args[i], params[i], 8);
	strcpy(op->name, f->name);
	emu_enqueue(s, op);
	return emu_leave(0);
}
