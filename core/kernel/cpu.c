/* core/kernel/cpu.c - which kernel paths this machine can run. */
#include "kernel/kernel.h"
#include <stdlib.h>
#include <string.h>

const char *lop_cpu_name(lop_cpu cpu)
{
    static const char *const names[] = {"portable", "avx2", "avx512", "neon"};
    return (size_t)cpu < sizeof names / sizeof *names ? names[cpu] : "unknown";
}

bool lop_cpu_runs(lop_cpu cpu) { return cpu == LOP_CPU_PORTABLE; }

lop_status lop_cpu_best(lop_cpu *out, lop_error *err)
{
    const char *forced = getenv("LOP_CPU");
    *out = LOP_CPU_PORTABLE;
    if (!forced || !*forced || strcmp(forced, lop_cpu_name(*out)) == 0) return LOP_OK;
    return lop_fail(err, LOP_E_ARG, "LOP_CPU=%s: this build runs portable only", forced);
}
