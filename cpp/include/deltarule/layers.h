// EVERY layer: the list. Each is declared in its family's header under layers/.
#pragma once

#include <deltarule/layers/activation.h>
#include <deltarule/layers/composite.h>
#include <deltarule/layers/convolution.h>
#include <deltarule/layers/dense.h>
#include <deltarule/layers/dropout.h>
#include <deltarule/layers/embedding.h>
#include <deltarule/layers/learned.h>
#include <deltarule/layers/normalization.h>
#include <deltarule/layers/rbf.h>
#include <deltarule/layers/weight_norm.h>

namespace deltarule {

using Layers = List<Dense, Activation, PReLU, AdaptiveReLU, LearnedSwish, Dropout, AlphaDropout,
                    GaussianNoise, BatchNorm, LayerNorm, RMSNorm, Standardize, Embedding, PeriodicEmbedding,
                    RBF, Residual, Branches, WeightNorm, Reshape, Conv2D, MaxPool2D>;

}  // namespace deltarule
