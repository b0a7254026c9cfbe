// Vectorised elementary functions: at most 4 ulp from the exact value for every finite argument of float or
// double.
#pragma once

#include "deltarule/simd/erf.h"
#include "deltarule/simd/exp.h"
#include "deltarule/simd/log.h"
#include "deltarule/simd/trigonometric.h"
