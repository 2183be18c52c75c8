/* core/kernel/cpu.c - which instruction sets are built in and runnable here. */
#include "kernel/kernel_impl.h"
#include <stdlib.h>
#include <string.h>

static const struct { const char *name; const lop_isa *(*isa)(void); } paths[] = {
    [LOP_CPU_PORTABLE] = {"portable", lop_isa_portable},
    [LOP_CPU_AVX2] = {"avx2", lop_isa_avx2},
    [LOP_CPU_AVX512] = {"avx512", lop_isa_avx512},
    [LOP_CPU_NEON] = {"neon", lop_isa_neon}
};
enum { PATHS = sizeof paths / sizeof *paths };

const char *lop_cpu_name(lop_cpu cpu) { return (unsigned)cpu < PATHS ? paths[cpu].name : "unknown"; }

const lop_isa *lop_isa_of(lop_cpu cpu) { return (unsigned)cpu < PATHS ? paths[cpu].isa() : NULL; }

bool lop_cpu_runs(lop_cpu cpu)
{
    if (!lop_isa_of(cpu)) return false;
#if defined(__x86_64__) || defined(__i386__)
    if (cpu == LOP_CPU_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (cpu == LOP_CPU_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("fma");
#endif
    return true;                /* NEON is built only where every machine has it */
}

static lop_status unknown(const char *name, lop_error *err)
{
    char list[64] = "";
    for (int k = 0; k < PATHS; k++) {
        if (!lop_cpu_runs((lop_cpu)k)) continue;
        if (*list) strcat(list, ", ");
        strcat(list, paths[k].name);
    }
    return lop_fail(err, LOP_E_ARG, "LOP_CPU is '%s': this machine runs %s", name, list);
}

lop_status lop_cpu_best(lop_cpu *out, lop_error *err)
{
    static const lop_cpu best_first[] = {LOP_CPU_AVX512, LOP_CPU_AVX2, LOP_CPU_NEON, LOP_CPU_PORTABLE};
    const char *name = getenv("LOP_CPU");
    for (int k = 0; k < PATHS; k++) {
        const lop_cpu cpu = best_first[k];
        if (!lop_cpu_runs(cpu) || (name && *name && strcmp(name, paths[cpu].name) != 0)) continue;
        *out = cpu;
        return LOP_OK;
    }
    return unknown(name, err);
}
