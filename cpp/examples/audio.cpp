// A network as an audio effect: learns to sound like an overdriven amplifier, then shapes a WAV file block by
// block, as a plugin would.
//
//   audio [in.wav [out.wav]]     16-bit PCM; without a file it plucks a string by itself
#include <deltarule/deltarule.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::size_t window = 16;  // samples that the network sees: the newest last
constexpr std::size_t block = 64;

struct Sound {
  std::uint32_t rate = 48000;
  std::vector<float> samples;  // -1 to 1, one channel
};

std::uint32_t number(const std::string& bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes.at(at + i))) << (8 * i);
  return value;
}

// The first channel of a 16-bit PCM file.
Sound read_wav(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  if (bytes.size() < 12 || bytes.compare(0, 4, "RIFF") != 0 || bytes.compare(8, 4, "WAVE") != 0)
    throw std::runtime_error(path + " is no WAV file");
  Sound sound;
  std::size_t channels = 0;
  for (std::size_t at = 12; at + 8 <= bytes.size();) {
    const std::string id = bytes.substr(at, 4);
    const std::size_t size = std::min<std::size_t>(number(bytes, at + 4, 4), bytes.size() - at - 8);
    at += 8;
    if (id == "fmt " && size >= 16) {
      if (number(bytes, at, 2) != 1 || number(bytes, at + 14, 2) != 16)
        throw std::runtime_error(path + " is not 16-bit PCM");
      channels = number(bytes, at + 2, 2);
      sound.rate = number(bytes, at + 4, 4);
    } else if (id == "data") {
      if (channels == 0 || sound.rate == 0) throw std::runtime_error(path + " does not say what it holds");
      for (std::size_t i = 0; i + 2 * channels <= size; i += 2 * channels)
        sound.samples.push_back(static_cast<float>(static_cast<std::int16_t>(number(bytes, at + i, 2))) /
                                32768);
      return sound;
    }
    at += size + size % 2;
  }
  throw std::runtime_error(path + " holds no samples");
}

void write_wav(const std::string& path, const Sound& sound) {
  std::ofstream file(path, std::ios::binary);
  const auto put = [&](std::uint32_t value, int size) {
    for (int i = 0; i < size; ++i) file.put(static_cast<char>(value >> (8 * i) & 255));
  };
  const auto bytes = static_cast<std::uint32_t>(2 * sound.samples.size());
  file << "RIFF";
  put(36 + bytes, 4);
  file << "WAVEfmt ";
  put(16, 4), put(1, 2), put(1, 2), put(sound.rate, 4), put(2 * sound.rate, 4), put(2, 2), put(16, 2);
  file << "data";
  put(bytes, 4);
  for (const float s : sound.samples)
    put(static_cast<std::uint16_t>(std::lround(std::clamp(s, -1.0f, 1.0f) * 32767)), 2);
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

// Karplus & Strong 1983: noise in a loop that softens it.
Sound plucked_string(double seconds) {
  Sound sound;
  std::vector<float> loop(218);  // 220 Hz
  std::uint32_t state = 1;
  for (float& s : loop) s = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / (1 << 23) - 1;
  for (std::size_t i = 0; i < static_cast<std::size_t>(seconds * sound.rate); ++i) {
    float& s = loop[i % loop.size()];
    sound.samples.push_back(0.8f * s);
    s = 0.498f * (s + loop[(i + 1) % loop.size()]);
  }
  return sound;
}

// What the network is to imitate: a filter, a valve, another filter.
std::vector<float> amplifier(const std::vector<float>& in) {
  std::vector<float> out;
  float high = 0, last = 0, low = 0;
  for (const float x : in) {
    high = 0.9f * (high + x - last);
    last = x;
    low += 0.5f * (std::tanh(4 * high) - low);
    out.push_back(low);
  }
  return out;
}

// Row i holds the samples up to i.
std::vector<float> windows(const std::vector<float>& samples) {
  std::vector<float> rows;
  for (std::size_t i = 0; i < samples.size(); ++i)
    for (std::size_t k = 0; k < window; ++k)
      rows.push_back(i + k + 1 < window ? 0.0f : samples[i + k + 1 - window]);
  return rows;
}

}  // namespace

int main(int count, char** arguments) try {
  const Sound in = count > 1 ? read_wav(arguments[1]) : plucked_string(4);

  const std::vector<float> lesson = plucked_string(0.4).samples, sounding = amplifier(lesson);
  const std::vector<float> x = windows(lesson);
  deltarule::Network<float> network(
      {.seed = 3,
       .layers = {{.type = "dense", .settings = {{"units", 16}}, .parts = {{"activation", {"tanh"}}}},
                  {.type = "dense", .settings = {{"units", 16}}, .parts = {{"activation", {"tanh"}}}},
                  {.type = "dense", .settings = {{"units", 1}}}},
       .input_width = window});
  deltarule::Trainer<float> trainer(network,
                                    {.loss = {"mse"}, .optimizer = {"adam", {{"learning_rate", 0.003}}}});
  const deltarule::Data<float> data{
      .rows = static_cast<std::ptrdiff_t>(lesson.size()), .x = x.data(), .target = sounding.data()};
  for (int epoch = 0; epoch < 25; ++epoch) trainer.run_epoch(data, {.epoch = epoch, .batch_size = 64});
  std::printf("learnt %zu samples, mean squared error %.1e\n", lesson.size(), trainer.evaluate(data).loss);

  // Sound that dies away ends in subnormal numbers, which many processors are slow at.
  const deltarule::FlushSubnormals flush;
  // Everything is allocated here; the loop below could be an audio callback.
  deltarule::Session<float> session(network, block);
  Sound out{in.rate, std::vector<float>(in.samples.size())};
  float history[window - 1 + block] = {}, rows[block * window];
  double worst = 0, total = 0;
  for (std::size_t begin = 0; begin < in.samples.size(); begin += block) {
    const std::size_t n = std::min(block, in.samples.size() - begin);
    const auto start = std::chrono::steady_clock::now();
    std::copy_n(&in.samples[begin], n, history + window - 1);
    for (std::size_t i = 0; i < n; ++i) std::copy_n(history + i, window, rows + i * window);
    session.run(rows, &out.samples[begin], static_cast<std::ptrdiff_t>(n));
    std::copy_n(history + n, window - 1, history);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    total += took.count();
    worst = std::max(worst, took.count());
  }
  write_wav(count > 2 ? arguments[2] : "shaped.wav", out);

  const double seconds = static_cast<double>(in.samples.size()) / in.rate;
  std::printf("%.1f s of sound at %u Hz in %.1f ms: real-time factor %.5f\n", seconds,
              static_cast<unsigned>(in.rate), 1e3 * total, total / seconds);
  std::printf("blocks of %zu samples (%.0f us of sound): %.1f us on average, %.1f us at worst\n", block,
              1e6 * static_cast<double>(block) / in.rate,
              1e6 * total * static_cast<double>(block) / static_cast<double>(in.samples.size()), 1e6 * worst);
  if (count > 1) return 0;
  double error = 0, loudness = 0;
  const std::vector<float> wanted = amplifier(in.samples);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double e = out.samples[i] - wanted[i];
    error += e * e;
    loudness += static_cast<double>(wanted[i]) * wanted[i];
  }
  std::printf("%.1f dB below the sound: what differs from the amplifier\n",
              10 * std::log10(loudness / error));
  return error < 0.05 * loudness ? 0 : 1;
} catch (const std::exception& e) {
  std::fprintf(stderr, "audio: %s\n", e.what());
  return 2;
}
