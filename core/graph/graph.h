/* core/graph/graph.h - the network as a graph: nodes, values, attributes; what every operator must tell of itself;
 * shape inference, constant folding, BN folding, cost.
 *
 * The graph is what the file said, names and all, and stays so: shapes and folded constants depend on the sizes of the
 * inputs (a free batch, say), so they live beside it, in lop_shapes. Values are addressed by number; a number stays
 * valid as long as the graph. Nodes stand in topological order. Not safe to change from two threads at once. */
#ifndef LOP_GRAPH_GRAPH_H
#define LOP_GRAPH_GRAPH_H
#include "tensor/tensor.h"

typedef struct lop_graph lop_graph;

typedef enum {          /* the numbers of ONNX AttributeProto.AttributeType */
    LOP_ATTR_FLOAT = 1, LOP_ATTR_INT = 2, LOP_ATTR_STRING = 3, LOP_ATTR_TENSOR = 4, LOP_ATTR_GRAPH = 5,
    LOP_ATTR_FLOATS = 6, LOP_ATTR_INTS = 7, LOP_ATTR_OTHER = 100
} lop_attr_kind;

typedef struct {
    char *name;
    lop_attr_kind kind;
    float f;
    int64_t i;
    char *s;                    /* STRING: length bytes and a NUL */
    float *floats;              /* FLOATS: count */
    int64_t *ints;              /* INTS: count */
    int64_t count;
    size_t length;
    lop_tensor tensor;          /* TENSOR */
    uint8_t *raw;               /* GRAPH and OTHER: the AttributeProto as it came, length bytes */
} lop_attr;

typedef struct {
    char *name;                 /* may be "" : ONNX allows nameless nodes */
    char *op, *domain, *doc;    /* domain "" is ai.onnx */
    int *in, *out;              /* values; -1: an optional one left out */
    int nin, nout;
    lop_attr *attr;
    int nattr;
    uint8_t *extra;             /* fields of NodeProto kept byte for byte: overload, metadata_props, ... */
    size_t extra_length;
} lop_node;

typedef struct {
    char *name;
    lop_tensor constant;        /* data set: an initializer. Shared, never written in place: other graphs may hold it */
    lop_dtype type;             /* as declared by the file; NONE: not declared */
    bool shaped;                /* the file declares a shape (of a value that is no initializer) */
    lop_shape shape;            /* -1: free or symbolic */
    char *param[LOP_MAX_DIMS];  /* names of symbolic dimensions, or NULL */
    uint8_t *raw;               /* the ValueInfoProto as it came where the above cannot say it (sequence, map) */
    size_t raw_length;
    char *foreign;              /* the type where lop_dtype has none for it: "string", "seq(tensor(string))"; or NULL */
    uint8_t *kept;              /* an initializer that no lop_tensor can hold (strings, complex numbers, ...): the */
    size_t kept_length;         /* TensorProto as it came, or (kept_sparse) the SparseTensorProto */
    bool kept_sparse;
} lop_value;

typedef struct { char *key, *value; } lop_pair;
typedef struct { char *domain; int64_t version; } lop_opset;

typedef struct lop_op_table lop_op_table;

struct lop_graph {
    char *name, *doc;
    int64_t ir_version, model_version;
    char *producer, *producer_version, *model_domain, *model_doc;
    lop_opset *opset;
    int nopset;
    lop_pair *meta;             /* metadata_props, in order */
    int nmeta;
    lop_value **value;
    int nvalue;
    lop_node **node;            /* topological order */
    int nnode;
    int *input, *output;        /* graph inputs (initializers that are listed too included, in the file's order) */
    int ninput, noutput;
    const lop_op_table *ops;    /* borrowed; set by whoever made the graph (lop_onnx_* takes it as an argument) */
    uint8_t *extra;             /* fields of ModelProto and GraphProto kept byte for byte: functions, quantization .. */
    size_t extra_length;
    int64_t value_capacity, node_capacity;
};

/* ---- building and walking (graph/graph.c) ---- */

lop_status lop_graph_new(const lop_op_table *ops, lop_graph **out, lop_error *err);
void lop_graph_free(lop_graph *g);                      /* NULL is fine */
/* A copy that shares the initializers' memory. */
lop_status lop_graph_clone(const lop_graph *g, lop_graph **out, lop_error *err);
/* A value's number by name, -1 if there is none; a node's by its name, or else by the name of its first output. */
int lop_graph_value(const lop_graph *g, const char *name);
int lop_graph_node(const lop_graph *g, const char *name);
const char *lop_node_label(const lop_graph *g, const lop_node *n);      /* name, or its first output's name */
/* Whether its data comes with the model, as a tensor or kept as bytes. */
bool lop_value_is_initializer(const lop_value *v);
/* Adds a value, named as given (NULL or taken: a fresh name made from it). */
lop_status lop_graph_add_value(lop_graph *g, const char *name, int *id, lop_error *err);
/* An initializer; shares c's memory. */
lop_status lop_graph_add_constant(lop_graph *g, const char *name, const lop_tensor *c, int *id, lop_error *err);
/* Gives node n, one of g's, another initializer as input `slot`; shares c's memory. It keeps the old name where nobody
 * else reads the old one, else gets a name of its own. ARG where that input is no initializer. */
lop_status lop_graph_replace_constant(lop_graph *g, lop_node *n, int slot, const lop_tensor *c, lop_error *err);
/* The same for all who read v, an initializer; shares c's memory. */
void lop_value_set_constant(lop_value *v, const lop_tensor *c);
/* A node put before position `at` (nnode: at the end). in and out are copied. */
lop_status lop_graph_insert(lop_graph *g, int at, const char *op, const char *name, const int *in, int nin,
                            const int *out, int nout, lop_node **node, lop_error *err);
void lop_graph_remove_node(lop_graph *g, int at);
/* Drops nodes whose outputs nothing needs, and initializers that nothing reads (their numbers stay, empty). */
lop_status lop_graph_prune_dead(lop_graph *g, lop_error *err);
/* Kahn's algorithm, stable; FORMAT names a node on a cycle, or a value that nothing makes. */
lop_status lop_graph_sort(lop_graph *g, lop_error *err);
/* Who makes and who reads each value, recomputed by each call; free with lop_uses_free. */
typedef struct { int *producer; int *first, *reader; int nvalue; } lop_uses;    /* reader[first[v] .. first[v + 1]) */
lop_status lop_graph_uses(const lop_graph *g, lop_uses *out, lop_error *err);
void lop_uses_free(lop_uses *u);
/* captured[v]: a subgraph (the body of If, Loop, ...) may read value v. The bodies are kept as bytes, so the test is
 * whether the name stands anywhere in them: it errs on the safe side. captured: nvalue of them, false on entry. */
void lop_graph_captured(const lop_graph *g, bool *captured);
int64_t lop_graph_opset(const lop_graph *g, const char *domain);        /* 0: not imported */
/* metadata_props; set replaces or appends. */
const char *lop_graph_meta(const lop_graph *g, const char *key);
lop_status lop_graph_set_meta(lop_graph *g, const char *key, const char *value, lop_error *err);

/* ---- a graph made by hand (graph/build.c) ---- */

/* A new value as the last graph input; shape: -1 is a free dimension. ARG: there is a value of that name. */
lop_status lop_graph_add_input(lop_graph *g, const char *name, lop_dtype type, const lop_shape *shape, int *id,
                               lop_error *err);
/* Sizes for an input of the graph, as if the file declared them; -1: as it is. ARG: it is no input, or declares another
 * number of dimensions, or another size. The second gives the inputs those of another graph, by name. */
lop_status lop_graph_set_input_shape(lop_graph *g, int id, const lop_shape *shape, lop_error *err);
lop_status lop_graph_copy_input_shapes(lop_graph *g, const lop_graph *from, lop_error *err);
/* Value `id` as the last graph output. ARG: it is one already. */
lop_status lop_graph_add_output(lop_graph *g, int id, lop_error *err);
lop_status lop_graph_set_opset(lop_graph *g, int64_t version, lop_error *err);         /* of ai.onnx */
/* A copy of a, in place of the attribute of its name, or as the last. It shares a tensor's memory. */
lop_status lop_node_set_attr(lop_node *n, const lop_attr *a, lop_error *err);

const lop_attr *lop_node_attr(const lop_node *n, const char *name);     /* NULL when absent */
int64_t lop_node_int(const lop_node *n, const char *name, int64_t otherwise);
float lop_node_float(const lop_node *n, const char *name, float otherwise);
const char *lop_node_string(const lop_node *n, const char *name, const char *otherwise);
/* Up to max integers into list; the count given in the file, or -1 when absent. */
int64_t lop_node_ints(const lop_node *n, const char *name, int64_t *list, int64_t max);
lop_status lop_node_set_int(lop_node *n, const char *name, int64_t value, lop_error *err);
lop_status lop_node_set_ints(lop_node *n, const char *name, const int64_t *list, int64_t count, lop_error *err);

/* ---- what an operator tells of itself; core/ops fills the table ---- */

typedef struct {
    const lop_graph *graph;
    const lop_node *node;
    int64_t opset;                      /* version of the node's domain in this model */
    int nin, nout;
    const lop_tensor *const *in;        /* NULL: left out. In `shape`, data is NULL unless the value is constant */
    lop_tensor *out;                    /* `shape` sets type and shape; `forward` finds them allocated and fills data */
    lop_team *team;                     /* for forward; may be NULL */
} lop_op_call;

typedef enum {          /* what a cut of channels means to an operator; core/couple reads this */
    LOP_CUT_BLOCK = 0,  /* not known: channels that pass here stay whole */
    LOP_CUT_SAME,       /* element by element, further inputs are scalars: activations, Cast, Identity */
    LOP_CUT_POOL,       /* each channel alone, over the dimensions behind it: pools, Resize */
    LOP_CUT_JOIN,       /* element by element of several inputs, broadcast: Add, Mul, PRelu ... unite channels */
    LOP_CUT_CONV,       /* Conv: makes channels, reads channels; depthwise passes them on */
    LOP_CUT_CONV_TRANSPOSE,
    LOP_CUT_GEMM,       /* Gemm: reads channels (features), makes features */
    LOP_CUT_MATMUL,     /* MatMul by a constant matrix, alike, along the last dimension */
    LOP_CUT_NORM,       /* parameters by channel in inputs 1..: BatchNormalization, InstanceNormalization */
    LOP_CUT_GROUP_NORM,
    LOP_CUT_AXIS,       /* mixes entries along some dimensions: Softmax, LayerNormalization, LRN, ... */
    LOP_CUT_REDUCE,     /* sums up some dimensions */
    LOP_CUT_CONCAT,
    LOP_CUT_SPLIT,
    LOP_CUT_SLICE,
    LOP_CUT_PAD,
    LOP_CUT_GATHER,
    LOP_CUT_TILE,
    LOP_CUT_EXPAND,
    LOP_CUT_FLATTEN,    /* the same entries, row by row, in other dimensions: Reshape, Flatten, Squeeze, Unsqueeze */
    LOP_CUT_TRANSPOSE,
    LOP_CUT_DEPTH,      /* DepthToSpace, SpaceToDepth */
    LOP_CUT_SHAPE       /* reads only the shape: Shape, Size */
} lop_cut_kind;

typedef struct {
    const char *name;                                           /* ONNX operator, domain ai.onnx */
    lop_cut_kind cut;
    lop_status (*shape)(const lop_op_call *call, lop_error *err);
    lop_status (*forward)(const lop_op_call *call, lop_error *err);     /* out overlaps no in; any thread */
    bool per_image;     /* the first dimension of all activations is the batch and images do not meet: see exec.h */
} lop_op;

struct lop_op_table { const lop_op *op; int count; };           /* sorted by name */
const lop_op *lop_op_find(const lop_op_table *t, const char *domain, const char *name);         /* NULL: not there */

/* ---- shapes and constants for given input sizes (graph/infer.c) ---- */

typedef struct {
    lop_tensor *value;          /* by value number: type and shape; data as well where it is constant */
    int nvalue;
    bool *known;                /* type and shape are known */
    bool *folded;               /* constant by computation, not by the file */
    int unsupported;            /* nodes whose operator is not in the table, or gave UNSUPPORTED: outputs unknown */
    int first_unsupported;      /* position of the first, or -1 */
    char reason[256];           /* what the first one's rule said, or "" */
} lop_shapes;
/* Runs every node's shape rule, and folds whatever is computable from constants (shapes count) up to 64 MiB a value.
 * inputs: one shape per graph input that is no initializer, in order, or NULL: as declared, a free first dimension
 * taken as 1; ARG names an input with another free dimension. Errors of a rule name the node: "node 'conv5' (Conv):
 * ...". */
lop_status lop_graph_infer(const lop_graph *g, const lop_shape *inputs, lop_shapes *out, lop_error *err);
/* The same as far as can be told: an input without a size, a node whose rule fails, and what depends on them stay
 * unknown, and the first one's reason is kept (first_unsupported -1: an input's). Where the operator is not there, or
 * its rule cannot tell, outputs are as the file declares them (value_info), if in full: a free first dimension counts
 * as 1 where an input's free first one has the same name. What a rule told wins over a declaration; a node that is
 * unsupported stays counted as such. MEMORY is the only error. */
lop_status lop_graph_infer_known(const lop_graph *g, lop_shapes *out, lop_error *err);
void lop_shapes_clear(lop_shapes *s);
/* UNSUPPORTED with the first missing operator's and node's name, else OK. */
lop_status lop_shapes_complete(const lop_graph *g, const lop_shapes *s, lop_error *err);

/* ---- cost (graph/cost.c): for one image, from shapes inferred at batch 1 ---- */

typedef struct { int64_t macs, params, bytes; } lop_cost;       /* bytes: of parameters */
/* MACs: multiply-adds of Conv, ConvTranspose, Gemm and MatMul, nothing else. Params: their weights and biases, those
 * of RNN, GRU and LSTM, norms' scales and shifts; not running means and variances; a shared initializer once in the
 * total, at each node here. */
lop_status lop_node_cost(const lop_graph *g, const lop_shapes *s, int node, lop_cost *out, lop_error *err);
/* The same without MACs, which need all shapes. */
lop_status lop_graph_params(const lop_graph *g, const lop_shapes *s, lop_cost *out, lop_error *err);
lop_status lop_graph_cost(const lop_graph *g, const lop_shapes *s, lop_cost *out, lop_error *err);

/* The most bytes of values that are alive at once when the nodes run one by one, in order: an input from the start to
 * its last reader, an output to the end, constants not at all. UNSUPPORTED names a value whose shape is not known. */
lop_status lop_graph_peak_bytes(const lop_graph *g, const lop_shapes *s, int64_t *bytes, lop_error *err);

/* ---- BN folding (graph/fold_bn.c) ---- */

/* Replaces Conv (or Gemm) + BatchNormalization by the one with w' = w s, b' = (b - mean) s + shift, s = scale /
 * sqrt(var + epsilon), computed in float64, where nothing else reads the convolution's output and all are constants.
 * The convolution takes over the BN's output name. *count: how many. Shared initializers are copied, not changed. */
lop_status lop_graph_fold_bn(lop_graph *g, int *count, lop_error *err);

/* ---- low rank (graph/factor.c) ---- */

/* Replaces a convolution of one group, weight (n, c, kh, kw), by two: NAME/first with the filters `first` (r, c, ..),
 * then itself, bias, name and output kept, with `second` (n, r, ..). Along each dimension of the window one of them has
 * the whole kernel, with its stride, pads and dilation, and the other a 1. Shares both tensors' memory. A Gemm becomes
 * MatMul and Gemm: first (r, c), second (n, r), 1s may follow. UNSUPPORTED: another node, or auto_pad; SHAPE: factors
 * of other sizes. On MEMORY g can only be freed. */
lop_status lop_graph_factor(lop_graph *g, int node, const lop_tensor *first, const lop_tensor *second, lop_error *err);

/* ---- parts of a stream (graph/part.c): the channel samplers of He et al., ICCV 2017, section 3.3 ---- */

/* Puts a Gather before a node, which reads entries channel[0..count) of dimension 1 of its first input from now on. Its
 * weights are the caller's to replace. ARG: no such node. On MEMORY g can only be freed. */
lop_status lop_graph_sample(lop_graph *g, int node, const int64_t *channel, int64_t count, lop_error *err);
/* A convolution makes only the filters channel[0..count), ascending; every other channel of its output, which keeps its
 * name and width, is rest[channel] everywhere. rest: float32, a value a filter, those of channel[] are not read. Pad,
 * Gather and Add behind the convolution do it. UNSUPPORTED: another node; ARG. On MEMORY g can only be freed. */
lop_status lop_graph_write_part(lop_graph *g, int node, const int64_t *channel, int64_t count, const lop_tensor *rest,
                                lop_error *err);
/* Node `node` makes its one output no more: it is a copy of t from now on, whose shape broadcasts where that is read; a
 * t of one dimension, a value a channel, is given the output's rank, (1, n, 1, ..). What nothing else needs goes with
 * it. A residual branch vanishes so, its mean added to the stream in its place. ARG: no such node, several outputs, or
 * its output is the graph's; SHAPE: more or fewer values than channels. On MEMORY g can only be freed. */
lop_status lop_graph_make_constant(lop_graph *g, int node, const lop_tensor *t, lop_error *err);

/* ---- plain weights (graph/plain.c) ---- */

/* Nodes that read only initializers (Constant; a DequantizeLinear, Cast, Reshape, ... of weights) leave, and what they
 * made becomes initializers of the same names. A node whose output is the graph's stays. *count: nodes gone. */
lop_status lop_graph_fold_constants(lop_graph *g, int *count, lop_error *err);
/* float16, bfloat16 and float64 become float32 everywhere: initializers, declared types (the graph's inputs and outputs
 * too), Cast and whatever else names a type. *count: places changed; 0 where no weight, input or output is of those
 * types. UNSUPPORTED: a node with a subgraph. On another error g can only be freed. */
lop_status lop_graph_to_float32(lop_graph *g, int *count, lop_error *err);
#endif
