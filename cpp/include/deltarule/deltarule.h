// The whole library but static_network.h, which is a library of its own. Use the smaller headers where
// compile time matters.
#pragma once

#include <deltarule/bfloat16_weights.h>
#include <deltarule/build_info.h>
#include <deltarule/catalog.h>
#include <deltarule/curvature.h>
#include <deltarule/custom.h>
#include <deltarule/elementwise.h>
#include <deltarule/engine/team.h>
#include <deltarule/export_c.h>
#include <deltarule/fit_many.h>
#include <deltarule/historical/delta_rule.h>
#include <deltarule/historical/perceptron.h>
#include <deltarule/historical/threshold_unit.h>
#include <deltarule/layers.h>
#include <deltarule/loss_kernel.h>
#include <deltarule/network.h>
#include <deltarule/schedules/plateau.h>
#include <deltarule/serialize.h>
#include <deltarule/session.h>
#include <deltarule/subnormals.h>
#include <deltarule/trace.h>
#include <deltarule/trainer.h>
#include <deltarule/update_kernel.h>
