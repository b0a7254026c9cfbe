#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include "atomic_file.h"

#if defined(_WIN32)
#include <io.h>
#else
#include <fcntl.h>
#include <unistd.h>
#endif

namespace deltarule {
namespace {

[[noreturn]] void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Beside `path`, and nobody else's: process numbers repeat where containers share a folder.
std::FILE* open_beside(const std::string& path, std::string& name) {
  std::random_device random;
  for (int tries = 0;; ++tries) {
    char digits[17];
    std::snprintf(digits, sizeof(digits), "%08x%08x", random(), random());
    name = path + ".tmp-" + digits;
    std::FILE* file = std::fopen(name.c_str(), "wbx");
    if (file || errno != EEXIST || tries == 100) return file;
  }
}

bool flush_to_disk(std::FILE* file) {
#if defined(_WIN32)
  return _commit(_fileno(file)) == 0;
#else
  return fsync(fileno(file)) == 0;
#endif
}

// The new name has to survive a crash as well.
void flush_folder(const std::string& path) {
#if !defined(_WIN32)
  const auto folder = std::filesystem::path(path).parent_path();
  const int descriptor = open(folder.empty() ? "." : folder.c_str(), O_RDONLY);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
#else
  (void)path;
#endif
}

}  // namespace

File::File(const std::string& path) : path_(path), file_(nullptr) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    throw std::system_error(EISDIR, std::generic_category(), "cannot read '" + path + "'");
  file_ = std::fopen(path.c_str(), "rb");
  if (!file_) throw_errno("cannot read '" + path + "'");
  const auto size = std::filesystem::file_size(path, error);
  if (error) {
    std::fclose(file_);
    throw std::system_error(error, "cannot read '" + path + "'");
  }
  size_ = size;
}

File::~File() { std::fclose(file_); }

void File::read(std::uint64_t offset, void* to, std::size_t bytes) {
  if (bytes == 0) return;
  if (std::fseek(file_, static_cast<long>(offset), SEEK_SET) != 0 || std::fread(to, 1, bytes, file_) != bytes)
    throw std::system_error(std::ferror(file_) ? errno : EIO, std::generic_category(),
                            "cannot read '" + path_ + "'");
}

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  file_ = open_beside(path, temporary_);
  if (!file_) throw_errno("cannot write '" + path + "'");
}

AtomicFile::~AtomicFile() {
  if (!file_) return;
  std::fclose(file_);
  std::remove(temporary_.c_str());
}

void AtomicFile::fail(const char* doing) { throw_errno(std::string(doing) + " '" + path_ + "'"); }

void AtomicFile::write(const void* data, std::size_t bytes) {
  if (bytes > 0 && std::fwrite(data, 1, bytes, file_) != bytes) fail("cannot write");
}

void AtomicFile::commit() {
  if (std::fflush(file_) != 0 || !flush_to_disk(file_)) fail("cannot write");
  if (std::fclose(std::exchange(file_, nullptr)) != 0) {
    std::remove(temporary_.c_str());
    fail("cannot write");
  }
  std::error_code error;
  std::filesystem::rename(temporary_, path_, error);
  if (error) {
    std::remove(temporary_.c_str());
    throw std::system_error(error, "cannot replace '" + path_ + "'");
  }
  flush_folder(path_);
}

}  // namespace deltarule
