// The steps of L-BFGS, told one evaluation of loss and gradient at a time.
#pragma once

#include <deltarule/catalog.h>
#include <deltarule/engine/arena.h>
#include <string>

#include "line_search.h"

namespace deltarule::second_order {

template <class T>
class Lbfgs {
 public:
  enum class Next {
    evaluate,   // loss and gradient at the weights, which have been moved
    done,       // with this step
    converged,  // the weights are where the step began; reason() says why there is no better place
    not_finite  // the gradient where the step begins
  };

  // `pairs` are state arrays, the latest pair first; those not used yet are zero. Weights and gradient are
  // the network's.
  Lbfgs(const Values& values, std::span<engine::Buffer<T>> pairs, std::span<T> weights,
        std::span<const T> gradient);

  // A new step; the evaluation that comes next is the one where it begins.
  void begin(double first_length);
  // The loss at the weights; its gradient is where the constructor was told.
  Next observe(double loss);
  // Whether a line search is under way: the weights are a trial.
  bool searching() const { return searching_; }
  // Ends it: back to where the step began.
  void withdraw();
  // Whether `observe` has seen the loss at exactly these weights last: then observe(loss()) begins a step
  // without another evaluation.
  bool knows_this_point() const;
  void forget() { known_ = false; }
  double loss() const { return loss_; }
  const std::string& reason() const { return reason_; }

 private:
  Next set_out();
  Next stop(std::string reason);
  void find_direction();
  void move(double length);
  void accept(double loss);
  T* step(std::size_t i) { return pairs_[2 * i].data(); }
  T* change(std::size_t i) { return pairs_[2 * i + 1].data(); }

  double gradient_tolerance_, loss_tolerance_;
  LineSearchSettings settings_;
  std::span<engine::Buffer<T>> pairs_;
  std::span<T> weights_;
  std::span<const T> gradient_;
  std::vector<T> start_, start_gradient_;
  std::vector<double> direction_, shares_, products_;  // the latter by pair
  std::size_t used_ = 0;                               // pairs in the direction
  LineSearch search_;
  double loss_ = 0, first_length_ = 1, slope_ = 0;
  int idle_ = 0;  // steps in a row that hardly lowered the loss
  bool searching_ = false, known_ = false;
  std::string reason_;
};

extern template class Lbfgs<float>;
extern template class Lbfgs<double>;

}  // namespace deltarule::second_order
