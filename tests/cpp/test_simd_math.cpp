// Every function of simd/math.h against the C library in the next wider type.
// DELTARULE_SIMD_STRIDE=1 visits all 2^32 floats (half an hour); the default visits every 4099th.
#include <doctest/doctest.h>

#include <deltarule/simd/math.h>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

namespace simd = deltarule::simd;

namespace {

// The exact functions, R being double for float and long double for double.
template <class R>
struct Reference {
  static R logistic(R x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
  static R softplus(R x) { return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::abs(x))); }
  static R normal_pdf(R x) {  // x has at most 53 bits: its upper half is squared without error
    if (std::abs(x) > 50) return 0;
    const R upper = static_cast<float>(x), low = (x - upper) * (x + upper);
    const auto factor = static_cast<R>(0.398942280401432677939946059934381868L);
    return factor * std::exp(-upper * upper / 2) * std::exp(-low / 2);
  }
  static R normal_cdf(R x) {
    if (x < -50) return 0;  // less than the least double; with musl exp(-16384) is not 0 below
    if (std::isinf(x)) return 1;
    const auto root = static_cast<R>(0.707106781186547524400844362104849039L);
    const R root_low = std::fma(-root, root, R(0.5)) / (2 * root);
    const R z = -x * root, z_low = std::fma(-x, root, -z) - x * root_low;
    const R slope = static_cast<R>(1.12837916709551257389615890312154517L) * std::exp(-z * z);
    return (std::erfc(z) - slope * z_low) / 2;
  }
  static R times_logistic(R x) { return x < -20000 ? R(-0.0) : x * logistic(x); }
  static R times_normal_cdf(R x) { return x < -50 ? R(-0.0) : x * normal_cdf(x); }
};

template <class T, int Width = simd::native_width<T>>
struct Function {
  using R = std::conditional_t<std::is_same_v<T, float>, double, long double>;
  using P = simd::Pack<T, Width>;
  const char* name;
  P (*vector)(P);
  R (*exact)(R);
};

template <class T, int Width = simd::native_width<T>>
std::vector<Function<T, Width>> functions() {
  using R = typename Function<T>::R;
  using P = simd::Pack<T, Width>;
  using Own = Reference<R>;
#define ROW(f, exact)                                                     \
  {                                                                       \
    #f, [](P x) { return simd::f(x); }, [](R x) -> R { return exact(x); } \
  }
  return {ROW(exp, std::exp),
          ROW(expm1, std::expm1),
          ROW(log, std::log),
          ROW(log1p, std::log1p),
          ROW(erf, std::erf),
          ROW(erfc, std::erfc),
          ROW(tanh, std::tanh),
          ROW(logistic, Own::logistic),
          ROW(softplus, Own::softplus),
          ROW(sin, std::sin),
          ROW(cos, std::cos),
          ROW(normal_cdf, Own::normal_cdf),
          ROW(normal_pdf, Own::normal_pdf),
          ROW(times_logistic, Own::times_logistic),
          ROW(times_normal_cdf, Own::times_normal_cdf)};
#undef ROW
}

// |got - exact| in units of the spacing of T at the exact value; infinite where the kind or the sign of zero
// differs.
template <class T, class R>
double ulp_error(T got, R exact) {
  constexpr double wrong = std::numeric_limits<double>::infinity();
  using Limits = std::numeric_limits<T>;
  if (std::isnan(got) || std::isnan(exact)) return std::isnan(got) && std::isnan(exact) ? 0 : wrong;
  if (got == 0 && exact == 0) return std::signbit(got) == std::signbit(exact) ? 0 : wrong;
  const R top = std::ldexp(R(1), Limits::max_exponent);  // infinity counts as the next power of two
  const auto clip = [&](R v) { return v > top ? top : v < -top ? -top : v; };
  if (clip(got) == clip(exact)) return 0;
  const int exponent =
      exact == 0 ? Limits::min_exponent - 1 : std::max(std::ilogb(exact), Limits::min_exponent - 1);
  const R spacing = std::ldexp(R(1), std::min(exponent, Limits::max_exponent - 1) - Limits::digits + 1);
  return static_cast<double>(std::abs(clip(got) - clip(exact)) / spacing);
}

template <class T>
struct Worst {
  double ulp = 0;
  T at = 0;
};

// Feeds arguments to one function a Pack at a time.
template <class T, int Width = simd::native_width<T>>
class Probe {
 public:
  explicit Probe(const Function<T, Width>& f) : f_(f) {}
  void operator()(T x) {
    x_[count_++] = x;
    if (count_ == P::width) flush();
  }
  Worst<T> finish() {
    while (count_ != 0) (*this)(T(1));
    return worst_;
  }

 private:
  using P = simd::Pack<T, Width>;
  void flush() {
    T y[P::width];
    f_.vector(P::load(x_)).store(y);
    for (int i = 0; i < P::width; ++i) {
      const double ulp = ulp_error(y[i], f_.exact(x_[i]));
      if (ulp > worst_.ulp) worst_ = {ulp, x_[i]};
    }
    count_ = 0;
  }
  const Function<T, Width>& f_;
  T x_[P::width] = {};
  int count_ = 0;
  Worst<T> worst_;
};

template <class T>
using Bits = std::conditional_t<std::is_same_v<T, float>, std::uint32_t, std::uint64_t>;

// Where formulas switch, results overflow or turn subnormal, and where arguments are themselves at a limit.
template <class T>
std::vector<T> hard_points() {
  using L = std::numeric_limits<T>;
  std::vector<T> p = {
      0,       L::denorm_min(), L::min(), L::max(), L::infinity(), L::epsilon(),  L::epsilon() / 4,
      T(1e-4), T(0.17328679),   T(0.2),   T(0.25),  T(0.29289323), T(0.34657359), T(0.41421356)};
  for (const double v :
       {0.5,        0.54930614, 2.0 / 3,   0.70710678, 0.75,       0.78539816, 0.88137359, 1.0,    1.03972077,
        1.41421356, 1.57079633, 2.0,       3.0,        3.14159265, 3.9,        4.0,        5.9,    6.28318531,
        8.5,        9.01,       9.5,       10.05,      10.3,       12.97,      14.0,       14.2,   14.5,
        16.6,       17.33,      18.0,      19.06,      20.0,       26.54,      27.22,      27.4,   36.04,
        37.5,       38.0,       38.47,     38.7,       87.336,     88.376,     88.7228,    89.0,   90.0,
        103.28,     103.97,     104.0,     708.396,    709.7827,   710.0,      744.44,     745.13, 746.0,
        1000.0,     1e5,        8388608.0, 16777216.0, 33554432.0, 4e15,       9e15,       1e30,   1e38})
    p.push_back(static_cast<T>(v));
  return p;
}

template <class T, int Width>
void visit_neighbourhoods(Probe<T, Width>& probe, int radius) {
  for (const T point : hard_points<T>())
    for (const T sign : {T(1), T(-1)}) {
      const auto centre = std::bit_cast<Bits<T>>(sign * point);
      for (int i = -radius; i <= radius; ++i) probe(std::bit_cast<T>(centre + static_cast<Bits<T>>(i)));
    }
}

template <class T, int Width>
void check(const Function<T, Width>& f, Worst<T> worst) {
  std::printf("%-10s %-6s x%-2d %6.3f ulp at %.17g\n", f.name, sizeof(T) == 4 ? "float" : "double", Width,
              worst.ulp, static_cast<double>(worst.at));
  INFO(f.name, " at ", worst.at);
  CHECK(worst.ulp <= 4);
}

// Registers narrower than the native one.
template <class T, int Width>
void check_width() {
  if constexpr (Width < simd::native_width<T>)
    for (const auto& f : functions<T, Width>()) {
      Probe<T, Width> probe(f);
      visit_neighbourhoods(probe, 50);
      check(f, probe.finish());
    }
}

// SplitMix64: the same numbers on every platform.
double uniform(std::uint64_t& state) {
  std::uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

}  // namespace

TEST_CASE("float functions over all bit patterns") {
  const char* given = std::getenv("DELTARULE_SIMD_STRIDE");
  const std::uint64_t stride = given != nullptr ? std::stoull(given) : 4099;
  for (const auto& f : functions<float>()) {
    Probe<float> probe(f);
    visit_neighbourhoods(probe, 1000);
    for (std::uint64_t b = 0; b < (std::uint64_t(1) << 32); b += stride)
      probe(std::bit_cast<float>(static_cast<std::uint32_t>(b)));
    check(f, probe.finish());
  }
}

TEST_CASE("double functions" * doctest::skip(std::numeric_limits<long double>::digits < 64)) {
  for (const auto& f : functions<double>()) {
    Probe<double> probe(f);
    visit_neighbourhoods(probe, 200);
    std::uint64_t state = 1;
    for (std::uint64_t i = 0; i < 50'000; ++i) {
      probe(std::bit_cast<double>(i * 0x0001'4f8b'588e'368f));  // every binade
      for (const double range : {1.0, 6.0, 40.0, 750.0}) probe(range * (2 * uniform(state) - 1));
      probe(std::ldexp(2 * uniform(state) - 1, static_cast<int>(80 * uniform(state)) - 60));
    }
    check(f, probe.finish());
  }
}

TEST_CASE("every width") {
  check_width<float, 4>();
  check_width<float, 8>();
  if constexpr (std::numeric_limits<long double>::digits >= 64) {
    check_width<double, 2>();
    check_width<double, 4>();
  }
}

namespace {

// A function of f x, and the larger of the terms its value is the sum of.
template <class R>
struct Exact {
  R value, size;
};
template <class T, class F>
struct OfFactor {
  using P = simd::Pack<T>;
  using R = typename Function<T>::R;
  const char* name;
  P (*vector)(F, P);
  Exact<R> (*exact)(R, R);
};

template <class T, class F>
std::vector<OfFactor<T, F>> functions_of_factor() {
  using P = simd::Pack<T>;
  using R = typename Function<T>::R;
  using Own = Reference<R>;
  return {
      {"times", [](F f, P x) { return f.times(x); }, [](R f, R x) { return Exact<R>{f * x, f * x}; }},
      {"logistic", [](F f, P x) { return simd::logistic(f.argument(x)); },
       [](R f, R x) {
         const R v = Own::logistic(f * x);
         return Exact<R>{v, v};
       }},
      {"logistic_slope", [](F f, P x) { return (f * simd::logistic_slope(f.argument(x))).rounded(); },
       [](R f, R x) {
         const R v = f * Own::logistic(f * x) * Own::logistic(-f * x);
         return Exact<R>{v, v};
       }},
      {"times_logistic", [](F f, P x) { return simd::times_logistic(x, f.argument(x)); },
       [](R f, R x) {
         const R v = x * Own::logistic(f * x);
         return Exact<R>{v, v};
       }},
      {"times_logistic_slope",
       [](F f, P x) {
         const auto z = f.argument(x);
         return simd::times_logistic_slope(z, simd::leading(z));
       },
       [](R f, R x) {
         const R s = Own::logistic(f * x), t = f * x * s * Own::logistic(-f * x);
         return Exact<R>{s + t, std::max(s, std::abs(t))};
       }},
      {"softplus", [](F f, P x) { return simd::softplus(f, x); },
       [](R f, R x) {
         const R v = std::max<R>(x, 0) + std::log1p(std::exp(-std::abs(f * x))) / f;
         return Exact<R>{v, v};
       }},
      {"times_exp_minus_abs", [](F f, P x) { return simd::times_exp_minus_abs(f, x); },
       [](R f, R x) {
         const R v = f * std::exp(-std::abs(x));
         return Exact<R>{v, v};
       }},
  };
}

template <class T, class F>
void check_factor(double factor) {
  using P = simd::Pack<T>;
  using R = typename Function<T>::R;
  const F f = [&] {
    if constexpr (std::is_same_v<F, simd::One>)
      return F{};
    else
      return F(factor);
  }();
  std::uint64_t state = 3;
  for (const auto& row : functions_of_factor<T, F>()) {
    Worst<T> worst;
    const auto probe = [&](double argument) {
      const T x = static_cast<T>(argument);
      if (!std::isfinite(x)) return;
      const T got = row.vector(f, P(x))[0];
      const auto exact = row.exact(static_cast<R>(factor), static_cast<R>(x));
      const R error = static_cast<R>(got) - exact.value;
      // Beside the larger term: the error is added to a number of that size.
      const double ulp =
          exact.value != 0 && exact.size == exact.value
              ? ulp_error(got, exact.value)
              : std::abs(static_cast<double>(error / (exact.size * std::numeric_limits<T>::epsilon() +
                                                      static_cast<R>(std::numeric_limits<T>::denorm_min()))));
      if (!(ulp <= worst.ulp)) worst = {ulp, x};
    };
    for (int i = 0; i < 4000; ++i)
      for (const double range : {3.0, 120.0, 800.0}) {
        const double z = range * (2 * uniform(state) - 1);
        probe(z);
        probe(z / factor);
      }
    for (const T point : hard_points<T>())
      for (const double sign : {1.0, -1.0}) probe(sign * static_cast<double>(point));
    INFO(row.name, " of ", factor, " x at ", worst.at);
    CHECK(worst.ulp <= (std::is_same_v<T, float> ? 4 : 6));
  }
}

}  // namespace

// Factors of any size: the digits of f x count, for e^(f x) multiplies its relative error by f x.
TEST_CASE_TEMPLATE("functions of a factor times x", T, float, double) {
  using P = simd::Pack<T>;
  if constexpr (std::is_same_v<T, float> || std::numeric_limits<long double>::digits >= 64) {
    check_factor<T, simd::One>(1);
    for (const double factor : {1.0, 0.3, 1.7, 12.0, 1e-3, 1e30, 3e-30, 2.7e38})
      check_factor<T, simd::Factor<P>>(factor);
    for (const double factor : {1.7, 1e30, 1.3e-39, 7e42, 3e-46})
      check_factor<T, simd::WideFactor<P>>(factor);
    CHECK(simd::Factor<P>::holds(0.3));
    CHECK(simd::Factor<P>::holds(0));
    CHECK_FALSE(simd::Factor<P>::holds(std::is_same_v<T, float> ? 1e-40 : 1e-310));
  }
}

TEST_CASE_TEMPLATE("pairs are exact", T, float, double) {
  using P = simd::Pack<T>;
  using R = typename Function<T>::R;
  const T a = T(1.1), b = T(-7.3);
  if constexpr (std::is_same_v<T, float>) {
    const auto product = simd::exact_product(P(a), P(b));
    CHECK(static_cast<R>(product.high[0]) + static_cast<R>(product.low[0]) ==
          static_cast<R>(a) * static_cast<R>(b));
  }
  const auto sum = simd::exact_sum(P(a), P(T(1e-3)));
  CHECK(static_cast<double>(static_cast<R>(sum.high[0]) + static_cast<R>(sum.low[0]) - static_cast<R>(a) -
                            static_cast<R>(T(1e-3))) == 0);
  CHECK(simd::scale_any(P(T(1)), simd::Rounded<P>{P(T(-3000)) + P(simd::Format<P>::rounding)})[0] == 0);
  CHECK(std::isinf(simd::scale_any(P(T(1)), simd::Rounded<P>{P(T(3000)) + P(simd::Format<P>::rounding)})[0]));
}

TEST_CASE_TEMPLATE("limits", T, float, double) {
  using P = simd::Pack<T>;
  constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const auto at = [](P y) { return y[P::width - 1]; };
  for (const auto& f : functions<T>()) {
    INFO(f.name);
    CHECK(std::isnan(at(f.vector(P(nan)))));
    CHECK(std::isnan(at(f.vector(P(-nan)))));
  }
  CHECK(at(simd::exp(P(-inf))) == 0);
  CHECK(at(simd::exp(P(inf))) == inf);
  CHECK(at(simd::expm1(P(-inf))) == -1);
  CHECK(at(simd::expm1(P(inf))) == inf);
  CHECK(at(simd::log(P::zero())) == -inf);
  CHECK(at(simd::log(-P::zero())) == -inf);
  CHECK(at(simd::log(P(inf))) == inf);
  CHECK(std::isnan(at(simd::log(P(T(-1))))));
  CHECK(std::isnan(at(simd::log(P(-std::numeric_limits<T>::denorm_min())))));
  CHECK(at(simd::log1p(P(T(-1)))) == -inf);
  CHECK(at(simd::log1p(P(inf))) == inf);
  CHECK(std::isnan(at(simd::log1p(P(T(-1.5))))));
  for (const T sign : {T(1), T(-1)}) {
    CHECK(at(simd::erf(P(sign * inf))) == sign);
    CHECK(at(simd::tanh(P(sign * inf))) == sign);
    CHECK(at(simd::erfc(P(sign * inf))) == 1 - sign);
    CHECK(at(simd::logistic(P(sign * inf))) == (1 + sign) / 2);
    CHECK(at(simd::normal_cdf(P(sign * inf))) == (1 + sign) / 2);
    CHECK(at(simd::normal_pdf(P(sign * inf))) == 0);
    CHECK(std::isnan(at(simd::sin(P(sign * inf)))));
    CHECK(std::isnan(at(simd::cos(P(sign * inf)))));
  }
  CHECK(at(simd::times_logistic(P(-inf))) == 0);
  CHECK(at(simd::times_logistic(P(inf))) == inf);
  CHECK(at(simd::times_normal_cdf(P(-inf))) == 0);
  CHECK(at(simd::times_normal_cdf(P(inf))) == inf);
  CHECK(at(simd::times_normal_cdf_slope(P(-inf))) == 0);
  CHECK(at(simd::times_normal_cdf_slope(P(inf))) == 1);
  CHECK(std::isnan(at(simd::times_normal_cdf_slope(P(nan)))));
  CHECK(at(simd::softplus(P(-inf))) == 0);
  CHECK(at(simd::softplus(P(inf))) == inf);
  for (const auto odd : {+[](P x) { return simd::expm1(x); }, +[](P x) { return simd::log1p(x); },
                         +[](P x) { return simd::erf(x); }, +[](P x) { return simd::tanh(x); },
                         +[](P x) { return simd::sin(x); }}) {
    CHECK(std::signbit(at(odd(-P::zero()))));
    CHECK(!std::signbit(at(odd(P::zero()))));
    CHECK(at(odd(-P::zero())) == 0);
  }
}

TEST_CASE_TEMPLATE("a lane does not depend on its neighbours", T, float, double) {
  using P = simd::Pack<T>;
  T x[P::width], alone[P::width], together[P::width];
  for (const auto& f : functions<T>())
    for (const double other : {1e30, -1e30, 0.0, 1e-40, 50.0, -95.0}) {
      INFO(f.name, " beside ", other);
      f.vector(P(T(0.7))).store(alone);
      for (int i = 0; i < P::width; ++i) x[i] = i == 1 ? T(0.7) : static_cast<T>(other);
      f.vector(P::load(x)).store(together);
      CHECK(std::bit_cast<Bits<T>>(together[1]) == std::bit_cast<Bits<T>>(alone[1]));
    }
}
