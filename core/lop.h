/* core/lop.h - all of lop's C interface. Each module's contract stands in its own header. */
#ifndef LOP_LOP_H
#define LOP_LOP_H
#include "base/base.h"
#include "tensor/tensor.h"
#include "linalg/linalg.h"
#include "graph/graph.h"
#include "couple/couple.h"
#include "onnx/onnx.h"
#include "kernel/kernel.h"
#include "ops/ops.h"
#include "exec/exec.h"
#include "image/image.h"
#include "data/data.h"
#include "sample/sample.h"
#include "lasso/lasso.h"
#include "select/select.h"
#include "reconstruct/reconstruct.h"
#include "decompose/decompose.h"
#endif
