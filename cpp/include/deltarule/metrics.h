// EVERY metric: entry, sums over rows and the figure made of them; the list is the last line.
//
// add(p, in, i, sums) counts row i in; `sums` has sums(outputs) doubles, all zero at first. finish(sums,
// outputs) gives the figure. Sums are added up in the order of the rows.
#pragma once

#include <deltarule/loss_kernel.h>
#include <algorithm>
#include <cmath>

namespace deltarule {

namespace metric {
template <class T>
std::size_t largest(std::size_t n, const T* x) {
  return static_cast<std::size_t>(std::max_element(x, x + n) - x);
}
// A row that holds NaN predicts nothing: it is never right.
template <class T>
bool has_nan(std::size_t n, const T* x) {
  return std::any_of(x, x + n, [](T v) { return std::isnan(v); });
}
template <class T>
double weight(const LossRows<T>& in, std::size_t i) {
  return row_weight(in, i);
}
template <class T>
const T* prediction(const LossRows<T>& in, std::size_t i) {
  return in.prediction + static_cast<std::ptrdiff_t>(i) * in.prediction_row;
}
template <class T>
const T* target(const LossRows<T>& in, std::size_t i) {
  return in.target + static_cast<std::ptrdiff_t>(i) * in.target_row;
}
inline double ratio(double a, double b) { return b == 0 ? 0 : a / b; }

// Weighted mean of one number per row.
template <class Rule>
struct RowMean {
  static std::size_t sums(std::size_t) { return 2; }
  template <class T>
  static void add(const Values& p, const LossRows<T>& in, std::size_t i, double* sums) {
    const double w = weight(in, i);
    if (w == 0) return;  // its label may be no class
    sums[0] += w * Rule::value(p, in, i);
    sums[1] += w;
  }
  static double finish(const double* sums, std::size_t) { return ratio(sums[0], sums[1]); }
};
}  // namespace metric

struct Accuracy : metric::RowMean<Accuracy> {
  static constexpr Param parameters[] = {
      {.name = "threshold",
       .value = 0.5,
       .low_open = true,
       .high_open = true,
       .meaning = "a single output above it means class 1; 0 when the loss takes logits"}};
  static constexpr Entry entry{
      .name = "accuracy",
      .class_name = "Accuracy",
      .aliases = "acc",
      .summary =
          "Share of rows whose largest output is the class; for one output, of rows on the right side of the "
          "threshold.",
      .formula = "\\frac1N \\sum_i [\\arg\\max_c y_{ic} = t_i]",
      .parameters = parameters,
      .target = Target::label_or_distribution,
      .higher_is_better = true,
  };
  template <class T>
  static double value(const Values& p, const LossRows<T>& in, std::size_t i) {
    const T* y = metric::prediction(in, i);
    if (metric::has_nan(in.outputs, y)) return 0;
    if (in.outputs == 1) {
      const double t =
          in.label ? static_cast<double>(in.label[i]) : static_cast<double>(*metric::target(in, i));
      return (static_cast<double>(*y) > p[0]) == (t > 0.5) ? 1 : 0;
    }
    const std::size_t t =
        in.label ? static_cast<std::size_t>(in.label[i]) : metric::largest(in.outputs, metric::target(in, i));
    return metric::largest(in.outputs, y) == t ? 1 : 0;
  }
};

struct BinaryAccuracy : metric::RowMean<BinaryAccuracy> {
  static constexpr Param parameters[] = {
      {.name = "threshold",
       .value = 0.5,
       .low_open = true,
       .high_open = true,
       .meaning = "an output above it means that the label is there; 0 when the loss takes logits"}};
  static constexpr Entry entry{
      .name = "binary_accuracy",
      .class_name = "BinaryAccuracy",
      .summary =
          "Share of outputs on the right side of the threshold: each output is a label that is there or not.",
      .formula = "\\frac{1}{NJ} \\sum_{ij} [(y_{ij} > \\theta) = (t_{ij} > \\tfrac12)]",
      .parameters = parameters,
      .higher_is_better = true,
  };
  template <class T>
  static double value(const Values& p, const LossRows<T>& in, std::size_t i) {
    double right = 0;
    for (std::size_t j = 0; j < in.outputs; ++j) {
      const double y = static_cast<double>(metric::prediction(in, i)[j]);
      const double t = static_cast<double>(metric::target(in, i)[j]);
      right += !std::isnan(y) && (y > p[0]) == (t > 0.5) ? 1 : 0;
    }
    return right / static_cast<double>(in.outputs);
  }
};

struct TopK : metric::RowMean<TopK> {
  static constexpr Param parameters[] = {{.name = "k",
                                          .value = 5,
                                          .low = 1,
                                          .high_open = true,
                                          .kind = Kind::integer,
                                          .meaning = "how many of the largest outputs may hold the class"}};
  static constexpr Entry entry{
      .name = "top_k",
      .class_name = "TopK",
      .aliases = "top_k_accuracy",
      .summary = "Share of rows whose class is among the k largest outputs.",
      .formula = "\\frac1N \\sum_i [\\,|\\{c : y_{ic} > y_{i t_i}\\}| < k\\,]",
      .parameters = parameters,
      .target = Target::label_or_distribution,
      .higher_is_better = true,
  };
  template <class T>
  static double value(const Values& p, const LossRows<T>& in, std::size_t i) {
    const T* y = metric::prediction(in, i);
    const std::size_t t =
        in.label ? static_cast<std::size_t>(in.label[i]) : metric::largest(in.outputs, metric::target(in, i));
    if (metric::has_nan(in.outputs, y)) return 0;
    double above = 0;
    for (std::size_t c = 0; c < in.outputs; ++c) above += y[c] > y[t] ? 1 : 0;
    return above < p[0] ? 1 : 0;
  }
};

template <class Rule>
struct ErrorMean : metric::RowMean<Rule> {
  template <class T>
  static double value(const Values&, const LossRows<T>& in, std::size_t i) {
    double sum = 0;
    for (std::size_t j = 0; j < in.outputs; ++j)
      sum += Rule::error(static_cast<double>(metric::prediction(in, i)[j]) -
                         static_cast<double>(metric::target(in, i)[j]));
    return sum / static_cast<double>(in.outputs);
  }
};

struct MseMetric : ErrorMean<MseMetric> {
  static constexpr Entry entry{
      .name = "mse",
      .aliases = "mean_squared_error",
      .summary = "Mean squared error.",
      .formula = "\\frac{1}{NJ} \\sum_{ij} (y_{ij} - t_{ij})^2",
  };
  static double error(double r) { return r * r; }
};

struct MaeMetric : ErrorMean<MaeMetric> {
  static constexpr Entry entry{
      .name = "mae",
      .aliases = "mean_absolute_error",
      .summary = "Mean absolute error.",
      .formula = "\\frac{1}{NJ} \\sum_{ij} |y_{ij} - t_{ij}|",
  };
  static double error(double r) { return std::fabs(r); }
};

struct R2Metric {
  static constexpr Entry entry{
      .name = "r2",
      .aliases = "r2_score",
      .summary =
          "Coefficient of determination, averaged over the outputs; 0 for an output whose targets are all "
          "alike.",
      .formula = "1 - \\sum_i (y_i - t_i)^2 / \\sum_i (t_i - \\bar t)^2",
      .higher_is_better = true,
  };
  // Per output: weight, mean, squared deviations from the mean (Welford), squared residuals.
  static std::size_t sums(std::size_t outputs) { return 4 * outputs; }
  template <class T>
  static void add(const Values&, const LossRows<T>& in, std::size_t i, double* sums) {
    const double w = metric::weight(in, i);
    if (w == 0) return;
    for (std::size_t j = 0; j < in.outputs; ++j) {
      double* s = sums + 4 * j;
      const double t = static_cast<double>(metric::target(in, i)[j]);
      const double r = static_cast<double>(metric::prediction(in, i)[j]) - t, before = t - s[1];
      s[0] += w;
      s[1] += before * (w / s[0]);  // exactly the target where all are alike
      s[2] += w * before * (t - s[1]);
      s[3] += w * r * r;
    }
  }
  static double finish(const double* sums, std::size_t outputs) {
    double total = 0;
    for (std::size_t j = 0; j < outputs; ++j)
      total += sums[4 * j + 2] > 0 ? 1 - sums[4 * j + 3] / sums[4 * j + 2] : 0;
    return total / static_cast<double>(outputs);
  }
};

using Metrics = List<Accuracy, BinaryAccuracy, TopK, MseMetric, MaeMetric, R2Metric>;

template <class T>
struct MetricKernel {
  std::size_t (*sums)(std::size_t outputs);
  void (*add)(const Values& values, const LossRows<T>& rows, std::size_t row, double* sums);
  double (*finish)(const double* sums, std::size_t outputs);
};

template <class T>
const MetricKernel<T>& metric_kernel(int index);

}  // namespace deltarule
