// What the historical learners share: patterns with targets, one unit's weights, what a training gave.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace deltarule::historical {

// Rows of `columns` contiguous numbers, with one target each.
struct Patterns {
  std::ptrdiff_t rows = 0, columns = 0;
  const double* x = nullptr;
  const double* target = nullptr;
};

// The unit that learns: u = w x + b.
struct Unit {
  double* weight = nullptr;  // one per column
  double* bias = nullptr;    // null: there is none
};

struct Training {
  double learning_rate = 1;
  std::int64_t max_epochs = 1000;
  double tolerance = 0;  // of the delta rules: largest change in an epoch / largest weight
  bool batch = false;    // one step per epoch, along the mean over all patterns
  bool shuffle = false;  // another order in every epoch, drawn from the seed
  std::uint64_t seed = 0;
  std::function<bool()> poll = {};  // called after every epoch; true stops
};

struct Learned {
  std::vector<double> loss = {};           // mean per epoch, measured as the patterns came by
  std::vector<std::int64_t> updates = {};  // per epoch
  bool converged = false;
  bool finite = true;  // false: the weights overflowed in the last epoch
};

}  // namespace deltarule::historical
