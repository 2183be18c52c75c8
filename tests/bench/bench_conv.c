/* tests/bench/bench_conv.c - GFLOP/s of each path of this machine on the layer shapes of ResNet-56, squeezenet and
 * VGG-16, one thread, one image: bench_conv [seconds per figure [word of the net or the shape]]. */
#include "kernel/kernel.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { const char *net; int times; int64_t c, size, n, k, stride, pad, group; } layer;
static const layer layers[] = {
    {"resnet56", 1, 3, 32, 16, 3, 1, 1, 1}, {"resnet56", 18, 16, 32, 16, 3, 1, 1, 1},
    {"resnet56", 1, 16, 32, 32, 3, 2, 1, 1}, {"resnet56", 17, 32, 16, 32, 3, 1, 1, 1},
    {"resnet56", 1, 32, 16, 64, 3, 2, 1, 1}, {"resnet56", 17, 64, 8, 64, 3, 1, 1, 1},
    {"pruned56", 18, 11, 32, 13, 3, 1, 1, 1}, {"pruned56", 17, 23, 16, 27, 3, 1, 1, 1},
    {"pruned56", 17, 41, 8, 45, 3, 1, 1, 1},
    {"squeezenet", 1, 3, 227, 96, 7, 2, 0, 1}, {"squeezenet", 1, 96, 55, 16, 1, 1, 0, 1},
    {"squeezenet", 2, 16, 55, 64, 1, 1, 0, 1}, {"squeezenet", 2, 16, 55, 64, 3, 1, 1, 1},
    {"squeezenet", 1, 128, 55, 16, 1, 1, 0, 1}, {"squeezenet", 1, 128, 55, 32, 1, 1, 0, 1},
    {"squeezenet", 1, 32, 55, 128, 1, 1, 0, 1}, {"squeezenet", 1, 32, 55, 128, 3, 1, 1, 1},
    {"squeezenet", 1, 256, 27, 32, 1, 1, 0, 1}, {"squeezenet", 1, 32, 27, 128, 1, 1, 0, 1},
    {"squeezenet", 1, 32, 27, 128, 3, 1, 1, 1}, {"squeezenet", 1, 256, 27, 48, 1, 1, 0, 1},
    {"squeezenet", 2, 48, 27, 192, 1, 1, 0, 1}, {"squeezenet", 2, 48, 27, 192, 3, 1, 1, 1},
    {"squeezenet", 1, 384, 27, 48, 1, 1, 0, 1}, {"squeezenet", 1, 384, 27, 64, 1, 1, 0, 1},
    {"squeezenet", 1, 64, 27, 256, 1, 1, 0, 1}, {"squeezenet", 1, 64, 27, 256, 3, 1, 1, 1},
    {"squeezenet", 1, 512, 13, 64, 1, 1, 0, 1}, {"squeezenet", 1, 64, 13, 256, 1, 1, 0, 1},
    {"squeezenet", 1, 64, 13, 256, 3, 1, 1, 1}, {"squeezenet", 1, 512, 13, 1000, 1, 1, 0, 1},
    {"vgg16", 1, 3, 224, 64, 3, 1, 1, 1}, {"vgg16", 1, 64, 224, 64, 3, 1, 1, 1},
    {"vgg16", 1, 64, 112, 128, 3, 1, 1, 1}, {"vgg16", 1, 128, 112, 128, 3, 1, 1, 1},
    {"vgg16", 1, 128, 56, 256, 3, 1, 1, 1}, {"vgg16", 2, 256, 56, 256, 3, 1, 1, 1},
    {"vgg16", 1, 256, 28, 512, 3, 1, 1, 1}, {"vgg16", 2, 512, 28, 512, 3, 1, 1, 1},
    {"vgg16", 3, 512, 14, 512, 3, 1, 1, 1},
    {"depthwise", 1, 32, 112, 32, 3, 1, 1, 32}, {"depthwise", 1, 64, 112, 64, 3, 2, 1, 64},
    {"depthwise", 1, 256, 28, 256, 3, 1, 1, 256}, {"depthwise", 1, 512, 14, 512, 3, 1, 1, 512}
};

static float *noise(int64_t n, uint64_t stream)
{
    float *p = lop_array(n, sizeof *p, NULL);
    for (int64_t i = 0; p && i < n; i++) p[i] = (float)lop_random_unit(1, stream, (uint64_t)i) - 0.5f;
    return p;
}

/* Seconds of the fastest of many runs within the time given. */
static double fastest(const lop_conv *v, lop_cpu cpu, double seconds)
{
    float *x = noise(v->c * v->h * v->w, 1), *w = noise(v->n * v->c / v->group * v->kh * v->kw, 2);
    float *y = lop_array(v->n * v->oh * v->ow, sizeof *y, NULL), *bias = noise(v->n, 3);
    lop_conv_plan *plan = NULL;
    double best = 0.0;
    if (x && w && y && bias && lop_conv_plan_new(v, w, cpu, &plan, NULL) == LOP_OK) {
        void *scratch = lop_array((int64_t)lop_conv_scratch(plan), 1, NULL);
        const lop_epilogue e = {.bias = bias, .act = LOP_ACT_RELU};
        const double begin = lop_seconds();
        for (double now = begin; scratch && now - begin < seconds;) {
            lop_conv_run(plan, x, &e, scratch, NULL, y);
            const double then = lop_seconds();
            if (best == 0.0 || then - now < best) best = then - now;
            now = then;
        }
        lop_free(scratch);
    }
    lop_conv_plan_free(plan);
    lop_free(x);
    lop_free(w);
    lop_free(y);
    lop_free(bias);
    return best;
}

int main(int argc, char **argv)
{
    const double seconds = argc > 1 ? atof(argv[1]) : 0.2;
    const lop_cpu paths[] = {LOP_CPU_PORTABLE, LOP_CPU_AVX2, LOP_CPU_AVX512, LOP_CPU_NEON};
    double total[4] = {0.0};
    const size_t count = sizeof layers / sizeof *layers;
    printf("%-44s", "GFLOP/s");
    for (int p = 0; p < 4; p++)
        if (lop_cpu_runs(paths[p])) printf(" %9s", lop_cpu_name(paths[p]));
    printf("\n");
    for (size_t i = 0; i < count; i++) {
        const layer *l = layers + i;
        const int64_t out = (l->size + 2 * l->pad - l->k) / l->stride + 1;
        const lop_conv v = {l->c, l->size, l->size, l->n, out, out, l->k, l->k, {l->stride, l->stride},
                            {l->pad, l->pad, l->pad, l->pad}, {1, 1}, l->group};
        const double flops = 2.0 * (double)(l->n * out * out * l->c / l->group * l->k * l->k);
        char text[80];
        snprintf(text, sizeof text, "%d x %dx%dx%d to %d, %dx%d stride %d", l->times, (int)l->c, (int)l->size,
                 (int)l->size, (int)l->n, (int)l->k, (int)l->k, (int)l->stride);
        if (argc <= 2 || strstr(l->net, argv[2]) || strstr(text, argv[2])) {
            printf("%-10s %-33s", l->net, text);
            for (int p = 0; p < 4; p++) {
                if (!lop_cpu_runs(paths[p])) continue;
                const double s = fastest(&v, paths[p], seconds);
                total[p] += s * l->times;
                printf(" %9.1f", flops / s / 1e9);
            }
            printf("\n");
        }
        if (i + 1 < count && strcmp(l->net, layers[i + 1].net) == 0) continue;
        if (total[0] > 0.0) printf("%-10s %-33s", l->net, "all its layers, ms");
        for (int p = 0; p < 4; p++) {
            if (total[0] > 0.0 && lop_cpu_runs(paths[p])) printf(" %9.3f", total[p] * 1e3);
        }
        if (total[0] > 0.0) printf("\n");
        memset(total, 0, sizeof total);
    }
    return 0;
}
