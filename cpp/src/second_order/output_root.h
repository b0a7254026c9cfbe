// Gradients of the outputs whose second moment is the Hessian of the loss.
#pragma once

#include <deltarule/loss_kernel.h>
#include <cstdint>
#include <vector>

namespace deltarule::second_order {

inline constexpr std::ptrdiff_t most_outputs = 256;  // of a loss whose Hessian is not diagonal

// For one row: B with B B^T = H, the matrix of second derivatives of the row's loss with respect to the
// outputs, without what is negative in it. For the log-likelihood of softmax, sigmoid or Gaussian models this
// is the covariance of the gradients over targets drawn from the model: the Fisher matrix.
class OutputRoot {
 public:
  OutputRoot(const Choice& loss, std::ptrdiff_t outputs);
  // Throws std::invalid_argument where the loss has no second derivatives, or too many outputs.
  static void check(const Choice& loss, std::ptrdiff_t outputs);

  // `row` is one row; its weight and `scale` are factors of H.
  void factor(const LossRows<double>& row, double scale);
  // Column `pass` of B; zero beyond its rank.
  void column(std::ptrdiff_t pass, double* gradient) const;
  // The sum of the columns, each with a random sign.
  void sample(std::uint64_t seed, std::uint64_t step, std::ptrdiff_t row, double* gradient) const;

 private:
  Choice loss_;
  std::ptrdiff_t outputs_, rank_ = 0;
  bool diagonal_;
  std::vector<double> hessian_, root_, unit_;  // columns of B, one after the other; its diagonal
};

}  // namespace deltarule::second_order
