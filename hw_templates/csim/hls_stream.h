// Simulation-only hls::stream: an unbounded FIFO that aborts when an empty stream is read.
//
// C simulation runs the processes of a dataflow region one after another, so it can show wrong values
// and wrong word counts, but neither back-pressure nor a deadlock.
#ifndef DSE_CSIM_HLS_STREAM_H
#define DSE_CSIM_HLS_STREAM_H

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace hls {

template <typename T, int DEPTH = 0>
class stream {
 public:
  explicit stream(const char *name = "stream") : name_(name) {}
  stream(const stream &) = delete;
  stream &operator=(const stream &) = delete;
  ~stream() {
    if (!empty()) {
      std::fprintf(stderr, "WARNING: %zu words are left in stream %s\n", size(), name_.c_str());
    }
  }

  bool empty() const { return head_ == words_.size(); }
  bool full() const { return false; }
  std::size_t size() const { return words_.size() - head_; }

  void write(const T &word) { words_.push_back(word); }

  T read() {
    if (empty()) {
      std::fprintf(stderr, "ERROR: read from the empty stream %s\n", name_.c_str());
      std::abort();
    }
    T word = std::move(words_[head_++]);
    if (empty()) {
      words_.clear();
      head_ = 0;
    }
    return word;
  }

  stream &operator<<(const T &word) {
    write(word);
    return *this;
  }
  stream &operator>>(T &word) {
    word = read();
    return *this;
  }

 private:
  std::string name_;
  std::vector<T> words_;
  std::size_t head_ = 0;
};

}  // namespace hls

#endif
