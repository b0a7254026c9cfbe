// EVERY operation on whole rows. The same scheme as activations.h, on rows instead of elements; the list is
// the last line. Gated operations halve the width.
#pragma once

#include <deltarule/row_op_kernel.h>
#include <deltarule/row_ops/gated.h>
#include <deltarule/row_ops/softmax.h>

namespace deltarule {

using RowOps = List<Softmax, LogSoftmax, Glu, Swiglu, Geglu, Reglu>;

}  // namespace deltarule
