/* tests/core/ops/test_golden.c - each operator against what ONNX Runtime gave for the same node (golden.inc), alone and
 * with a team, which must not change a byte. */
#include "case.h"

static const op_case golden[] = {
#include "golden.inc"
};

static void run_case(const op_case *c, lop_team *team)
{
    op_run alone, together;
    lop_tensor want[CASE_TENSORS] = {{0}};
    const int nout = case_tensors(c->out, want, NULL);
    case_open(&alone, c, nout);
    case_open(&together, c, nout);
    together.call.team = team;
    if (case_shape(&alone) != LOP_OK) fail_msg("%s [%s] (%s): %s", c->op, c->attr, c->in, alone.err.message);
    t_ok(case_shape(&together), together.err);
    if (case_forward(&alone) != LOP_OK) fail_msg("%s [%s] (%s): %s", c->op, c->attr, c->in, alone.err.message);
    t_ok(case_forward(&together), together.err);
    for (int o = 0; o < nout; o++) {
        case_compare(c, o, &alone.out[o], &want[o], 1e-5);
        assert_memory_equal(alone.out[o].data, together.out[o].data, lop_tensor_bytes(&want[o]));
        lop_tensor_clear(&want[o]);
    }
    case_close(&alone);
    case_close(&together);
}

T_TEST(operators_give_what_onnx_runtime_gives)
{
    lop_error err;
    lop_team *team;
    t_ok(lop_team_new(3, &team, &err), err);
    for (size_t k = 0; k < T_COUNT(golden); k++) run_case(&golden[k], team);
    lop_team_free(team);
}

T_MAIN(T(operators_give_what_onnx_runtime_gives))
