/* core/base/clock.c - time and memory of the process, for reports. */
#include "base/base.h"
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

double lop_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int64_t lop_peak_rss(void)
{
    struct rusage use;
    return getrusage(RUSAGE_SELF, &use) == 0 ? (int64_t)use.ru_maxrss * 1024 : 0;
}

/* The number behind `key` in a file of the kernel's; -1 if it is not there. */
static int64_t kernel_figure(const char *path, const char *key)
{
    char line[256];
    long long value = -1;
    FILE *f = fopen(path, "r");
    if (!f) return -1;
    while (value < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%lld", &value) != 1) value = -1;
    fclose(f);
    return value;
}

int64_t lop_free_memory(void)
{
    int64_t free_bytes = kernel_figure("/proc/meminfo", "MemAvailable:") * 1024;
    const int64_t most = kernel_figure("/sys/fs/cgroup/memory.max", "");
    const int64_t used = kernel_figure("/sys/fs/cgroup/memory.current", "");
    if (most >= 0 && used >= 0 && (free_bytes < 0 || most - used < free_bytes)) free_bytes = most - used;
    return free_bytes < 0 ? 0 : free_bytes;
}
