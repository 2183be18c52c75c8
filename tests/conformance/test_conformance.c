/* tests/conformance/test_conformance.c - ONNX's own vectors (Debian's libonnx-testdata: node, simple, and two sets that
 * PyTorch exported): a model, its inputs and what it must give, one test each, on the portable and on the best CPU
 * path. Every vector must come out right, by the measure of ONNX's runner (rtol 1e-3, atol 1e-7), except those that
 * use what not_claimed.table lists; a line there that no vector needs is an error too.
 * LOP_ONNX_DATA: the folder, where it is not Debian's. */
#include "support/t.h"
#include "exec/exec.h"
#include "onnx/onnx.h"
#include "ops/ops.h"
#include <dirent.h>
#include <math.h>

enum { MOST = 64, VECTORS = 2048, REASONS = 128 };

static struct CMUnitTest tests[VECTORS + 1];
static int ntest, total, wrong;

/* ---- what is not claimed ---- */

typedef struct { char kind[16], name[64]; bool used; } reason;     /* "operator LSTM", "type string", "vector test_x" */
static reason reasons[REASONS];
static int nreason;

static void read_reasons(void)
{
    char line[256];
    FILE *f = fopen("tests/conformance/not_claimed.table", "r");
    if (!f) fail_msg("tests/conformance/not_claimed.table is not here");
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#' || line[0] == '\n') continue;
        reason *r = &reasons[nreason++];
        if (nreason >= REASONS || sscanf(line, "%15s %63s", r->kind, r->name) != 2) fail_msg("what is '%s'?", line);
    }
    fclose(f);
}

static bool listed(const char *kind, const char *name)
{
    for (int i = 0; i < nreason; i++)
        if (strcmp(reasons[i].kind, kind) == 0 && strcmp(reasons[i].name, name) == 0) {
            reasons[i].used = true;
            return true;
        }
    return false;
}

/* ---- a vector ---- */

typedef struct {
    char name[256], folder[1024];
    lop_graph *graph;
    int input[MOST], ninput;                        /* the graph's inputs that the vector feeds */
    lop_tensor in[MOST], want[MOST];
    int nwant;
    bool path_set;                                  /* LOP_CPU is this test's, and goes with it */
} vector;

static void vector_close(vector *v)
{
    lop_graph_free(v->graph);
    v->graph = NULL;
    for (int i = 0; i < MOST; i++) {
        lop_tensor_clear(&v->in[i]);
        lop_tensor_clear(&v->want[i]);
    }
}

static int read_tensors(const vector *v, const char *kind, lop_tensor *list)
{
    char path[2048];
    lop_error err;
    for (int n = 0;; n++) {
        snprintf(path, sizeof path, "%s/test_data_set_0/%s_%d.pb", v->folder, kind, n);
        if (access(path, R_OK) != 0) return n;
        if (n == MOST) fail_msg("%s: more than %d", path, MOST);
        t_ok(lop_onnx_load_tensor(path, &list[n], &err), err);
    }
}

/* Vectors keep bfloat16 in uint16, which is what numpy had for it. */
static void retype(const lop_graph *g, int value, lop_tensor *t)
{
    if (g->value[value]->type == LOP_BF16 && t->type == LOP_U16) t->type = LOP_BF16;
}

static void vector_open(vector *v)
{
    char path[2048];
    lop_error err;
    snprintf(path, sizeof path, "%s/model.onnx", v->folder);
    t_ok(lop_onnx_load(path, lop_ops(), &v->graph, &err), err);
    const lop_graph *g = v->graph;
    const int fed = read_tensors(v, "input", v->in);
    v->nwant = read_tensors(v, "output", v->want);
    assert_int_equal(v->nwant, g->noutput);
    v->ninput = 0;
    for (int i = 0; i < g->ninput; i++)             /* old exporters list initializers too, and do not feed them */
        if (fed == g->ninput || !g->value[g->input[i]]->constant.data) v->input[v->ninput++] = g->input[i];
    assert_int_equal(v->ninput, fed);
    for (int i = 0; i < fed; i++) retype(g, v->input[i], &v->in[i]);
    for (int o = 0; o < v->nwant; o++) retype(g, g->output[o], &v->want[o]);
}

/* Does the model use anything that the table lists? */
static bool claimed(const vector *v, const lop_graph *g)
{
    bool known = !listed("vector", v->name);
    for (int k = 0; k < g->nnode; k++)
        if (listed("operator", g->node[k]->op)) known = false;
    for (int i = 0; i < g->ninput + g->noutput; i++) {
        const lop_value *value = g->value[i < g->ninput ? g->input[i] : g->output[i - g->ninput]];
        if (listed("type", lop_dtype_name(value->type))) known = false;
    }
    return known;
}

/* ---- running it ---- */

static void compare(const vector *v, int o, const lop_tensor *got)
{
    const lop_tensor *want = &v->want[o];
    char a[96], b[96];
    if (got->type != want->type || !lop_shape_equal(&got->shape, &want->shape))
        fail_msg("%s: output %d is %s %s, %s %s expected", v->name, o, lop_dtype_name(got->type),
                 lop_shape_text(&got->shape, a, sizeof a), lop_dtype_name(want->type),
                 lop_shape_text(&want->shape, b, sizeof b));
    int64_t differ = 0, where = -1;
    double most = 0.0;
    for (int64_t i = 0; i < lop_tensor_size(want); i++) {
        const double g = lop_tensor_get(got, i), w = lop_tensor_get(want, i), off = fabs(g - w);
        const bool same = isnan(w) ? isnan(g) : isinf(w) ? g == w : off <= 1e-7 + 1e-3 * fabs(w);
        if (same) continue;
        differ++;
        if (where < 0 || off > most) { most = off; where = i; }
    }
    if (differ > 0)
        fail_msg("%s: output %d: %d of %d entries differ, most #%d: %.9g, %.9g expected", v->name, o, (int)differ,
                 (int)lop_tensor_size(want), (int)where, lop_tensor_get(got, where), lop_tensor_get(want, where));
}

static void run(vector *v)
{
    lop_error err;
    lop_tensor got[MOST];
    vector_open(v);
    t_ok(lop_exec_once(v->graph, NULL, v->in, v->ninput, NULL, 0, got, &err), err);
    for (int o = 0; o < v->nwant; o++) {
        compare(v, o, &got[o]);
        lop_tensor_clear(&got[o]);
    }
    vector_close(v);
}

static void run_vector(void **state)
{
    vector *v = *state;
    const char *asked = getenv("LOP_CPU");
    wrong++;
    run(v);
    if (!asked) {
        v->path_set = setenv("LOP_CPU", "portable", 1) == 0;
        run(v);
        unsetenv("LOP_CPU");
    }
    wrong--;
}

/* After a failure, too. */
static int close_vector(void **state)
{
    vector *v = *state;
    if (v->path_set) unsetenv("LOP_CPU");
    vector_close(v);
    return 0;
}

/* ---- all of them ---- */


static bool is_claimed(vector *v)
{
    char path[2048];
    lop_error err;
    lop_graph *g;
    snprintf(path, sizeof path, "%s/model.onnx", v->folder);
    if (lop_onnx_load(path, lop_ops(), &g, &err) != LOP_OK) return !listed("vector", v->name);
    const bool yes = claimed(v, g);
    lop_graph_free(g);
    return yes;
}

static void add_folder(const char *data, const char *group, vector *vectors)
{
    char path[600];
    struct dirent **list;
    snprintf(path, sizeof path, "%s/%s", data, group);
    const int n = scandir(path, &list, NULL, alphasort);
    if (n < 0) return;
    for (int i = 0; i < n; i++) {
        if (strncmp(list[i]->d_name, "test_", 5) == 0 && total < VECTORS) {
            vector *v = &vectors[total++];
            snprintf(v->name, sizeof v->name, "%s", list[i]->d_name);
            snprintf(v->folder, sizeof v->folder, "%s/%s", path, list[i]->d_name);
            if (is_claimed(v))
                tests[ntest++] = (struct CMUnitTest){v->name, run_vector, NULL, close_vector, v};
        }
        free(list[i]);
    }
    free(list);
}

T_TEST(each_reason_not_to_claim_is_one)
{
    for (int i = 0; i < nreason; i++)
        if (!reasons[i].used)
            fail_msg("not_claimed.table: no vector needs '%s %s'", reasons[i].kind, reasons[i].name);
        else if (strcmp(reasons[i].kind, "operator") == 0 && lop_op_find(lop_ops(), "", reasons[i].name))
            fail_msg("not_claimed.table: %s is built", reasons[i].name);
}

int main(void)
{
    static const char *const groups[] = {"node", "simple", "pytorch-converted", "pytorch-operator"};
    const char *data = getenv("LOP_ONNX_DATA");
    if (!data) data = "/usr/share/libonnx-testdata/data";
    if (access(data, R_OK) != 0) {
        printf("skipped: %s is not here: install libonnx-testdata, or set LOP_ONNX_DATA\n", data);
        printf("[  SKIPPED ] conformance\n");
        return 0;
    }
    vector *vectors = calloc(VECTORS, sizeof *vectors);
    if (!vectors) return 1;
    read_reasons();
    for (size_t i = 0; i < T_COUNT(groups); i++) add_folder(data, groups[i], vectors);
    tests[ntest] = (struct CMUnitTest)T(each_reason_not_to_claim_is_one);
    const int failed = _cmocka_run_group_tests("conformance", tests, (size_t)ntest + 1, NULL, NULL);
    printf("conformance: %d of ONNX's %d vectors pass, %d fail, %d are not claimed\n", ntest - wrong, total, wrong,
           total - ntest);
    free(vectors);
    return failed;
}
