// Numbers of the normal distribution from uniform ones, with the same bits on every platform.
#pragma once

namespace deltarule::engine {

// The x at which the standard normal distribution function is p, for 0 < p < 1 (Wichura 1988, AS 241).
double normal_quantile(double p);

}  // namespace deltarule::engine
