// Compiled with -ffp-contract=off: a fused multiply-add would change the last bit on some targets.
#include <deltarule/engine/normal.h>
#include <deltarule/initializers.h>
#include <algorithm>

namespace deltarule {
namespace {

double horner(std::span<const double> c, double x) {
  double r = c.back();
  for (std::size_t i = c.size() - 1; i-- > 0;) r = r * x + c[i];
  return r;
}

// ln x for 0 < x < 1 without the platform's libm.
double natural_log(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // exact
  if (m < 0.70710678118654752) {
    m *= 2;
    --exponent;
  }
  const double t = (m - 1) / (m + 1), square = t * t;
  double sum = 0;
  for (int k = 27; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
  return 2 * t * sum + exponent * 0.69314718055994530942;
}

}  // namespace

// Algorithm PPND16: relative error about 1e-16.
double engine::normal_quantile(double p) {
  static constexpr double a[] = {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                                 1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                                 3.3430575583588128105e4, 2.5090809287301226727e3};
  static constexpr double b[] = {1.0,
                                 4.2313330701600911252e1,
                                 6.8718700749205790830e2,
                                 5.3941960214247511077e3,
                                 2.1213794301586595867e4,
                                 3.9307895800092710610e4,
                                 2.8729085735721942674e4,
                                 5.2264952788528545610e3};
  static constexpr double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                 5.76949722146069140550e0,  3.64784832476320460504e0,
                                 1.27045825245236838258e0,  2.41780725177450611770e-1,
                                 2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static constexpr double d[] = {1.0,
                                 2.05319162663775882187e0,
                                 1.67638483018380384940e0,
                                 6.89767334985100004550e-1,
                                 1.48103976427480074590e-1,
                                 1.51986665636164571966e-2,
                                 5.47593808499534494600e-4,
                                 1.05075007164441684324e-9};
  static constexpr double e[] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                 1.78482653991729133580e0,  2.96560571828504891230e-1,
                                 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                 2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static constexpr double f[] = {1.0,
                                 5.99832206555887937690e-1,
                                 1.36929880922735805310e-1,
                                 1.48753612908506148525e-2,
                                 7.86869131145613259100e-4,
                                 1.84631831751005468180e-5,
                                 1.42151175831644588870e-7,
                                 2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * horner(a, r) / horner(b, r);
  }
  double r = std::sqrt(-natural_log(q < 0 ? p : 1 - p));
  const double x = r <= 5 ? horner(c, r - 1.6) / horner(d, r - 1.6) : horner(e, r - 5) / horner(f, r - 5);
  return q < 0 ? -x : x;
}

namespace {

// In eight sums, so that a compiler may use vectors; the order of additions is fixed.
double dot(const double* a, const double* b, std::size_t n) {
  double sums[8] = {};
  for (std::size_t i = 0; i < n / 8 * 8; i += 8)
    for (std::size_t k = 0; k < 8; ++k) sums[k] += a[i + k] * b[i + k];
  for (std::size_t i = n / 8 * 8; i < n; ++i) sums[i % 8] += a[i] * b[i];
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

}  // namespace

double Draws::uniform(std::uint64_t element) const {
  const auto x = engine::philox(key_, 0, element / 2);
  const std::size_t at = 2 * (element % 2);
  const std::uint64_t bits = (static_cast<std::uint64_t>(x[at]) << 21) ^ (x[at + 1] >> 11);
  return (static_cast<double>(bits) + 0.5) * 0x1p-53;
}

double Draws::normal(std::uint64_t element) const { return engine::normal_quantile(uniform(element)); }

double Draws::truncated_normal(std::uint64_t element) const {
  constexpr double tail = 0.0227501319481792072;  // of the normal distribution, below -2
  return engine::normal_quantile(tail + uniform(element) * (1 - 2 * tail));
}

void fill_orthogonal(std::string_view name, double gain, Fans fans, const Draws& draws, std::span<double> w) {
  const auto in = static_cast<std::size_t>(fans.in), out = static_cast<std::size_t>(fans.columns);
  if (w.size() != in * out)
    throw std::invalid_argument("initializer '" + std::string(name) + "' fills a matrix of inputs x units; " +
                                std::to_string(w.size()) + " numbers are no matrix of " + std::to_string(in) +
                                " x " + std::to_string(out));
  const std::size_t count = std::min(in, out), length = std::max(in, out);
  std::vector<double> vectors(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) vectors[i] = draws.normal(i);
  for (std::size_t k = 0; k < count; ++k) {
    double* v = &vectors[k * length];
    for (int pass = 0; pass < 2; ++pass)  // twice is enough for all digits (Giraud et al. 2005)
      for (std::size_t j = 0; j < k; ++j) {
        const double* u = &vectors[j * length];
        const double along = dot(u, v, length);
        for (std::size_t i = 0; i < length; ++i) v[i] -= along * u[i];
      }
    const double size = std::sqrt(dot(v, v, length));
    for (std::size_t i = 0; i < length; ++i) v[i] /= size;
  }
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t i = 0; i < length; ++i)
      w[in < out ? k * out + i : i * out + k] = gain * vectors[k * length + i];
}

void initialize(const Choice& choice, Fans fans, std::uint64_t seed, std::uint32_t tensor,
                std::span<double> w) {
  const Draws draws(seed, tensor);
  Initializers::each([&]<class I>(std::size_t i) {
    if (static_cast<int>(i) == choice.index) I::fill(choice.values, fans, draws, w);
  });
}

void column_lengths(const std::vector<double>& matrix, std::span<double> lengths) {
  std::fill(lengths.begin(), lengths.end(), 0.0);
  for (std::size_t i = 0; i < matrix.size(); ++i) lengths[i % lengths.size()] += matrix[i] * matrix[i];
  for (double& x : lengths) x = std::sqrt(x);
}

double logit(double p) { return natural_log(p) - natural_log(1 - p); }

Spec automatic_initializer(const Choice& next, bool first) {
  const std::string_view activation = next.name();
  for (std::string_view rectifier :
       {"relu", "leaky_relu", "relu6", "threshold", "squared_relu", "elu", "celu", "gelu", "swish",
        "hard_swish", "mish", "softplus", "prelu", "adaptive_relu", "learned_swish"})
    if (activation == rectifier) return {"he_normal", {}};
  if (activation == "selu") return {"lecun_normal", {}};
  if (activation == "sin") return {"siren", {{"omega", next.values[0]}, {"first", first ? 1.0 : 0.0}}};
  return {"glorot_uniform", {}};
}

}  // namespace deltarule
