#include <deltarule/schedules.h>

namespace deltarule {

double scheduled_rate(std::span<const Choice> chain, double rate, double step) {
  if (chain.empty()) return rate;
  const auto next = [&](double inner) { return scheduled_rate(chain.subspan(1), rate, inner); };
  double result = rate;
  Schedules::each([&]<class S>(std::size_t i) {
    if (static_cast<int>(i) != chain[0].index) return;
    if constexpr (requires { S::value(chain[0], rate, step, next); })
      result = S::value(chain[0], rate, step, next);
    else
      result = S::value(chain[0].values, rate, step, next);
  });
  return result;
}

}  // namespace deltarule
