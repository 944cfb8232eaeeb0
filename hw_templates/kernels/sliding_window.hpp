// Sliding window unit: a map in, its kernel x kernel windows out in order (ky, kx, channel), per frame
// (FINN: ConvolutionInputGenerator). A ring of kernel + stride rows is filled with the first kernel rows;
// then every output row is written while the next stride rows are read. Padding is written here: code 0,
// which is 0, and -1 in a bipolar map.
//
// UNIT has height, width, channels, kernel, stride, padding, simd (channels per word) and bits.
#ifndef DSE_SLIDING_WINDOW_HPP
#define DSE_SLIDING_WINDOW_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
void sliding_window(hls::stream<ap_uint<UNIT::simd * UNIT::bits>> &in,
                    hls::stream<ap_uint<UNIT::simd * UNIT::bits>> &out) {
#pragma HLS INLINE
  constexpr unsigned K = UNIT::kernel, P = UNIT::padding, RING = K + UNIT::stride;
  constexpr unsigned WORDS = UNIT::channels / UNIT::simd;
  constexpr unsigned ROWS = UNIT::height + 2 * P, ROW_WORDS = (UNIT::width + 2 * P) * WORDS;
  constexpr unsigned OUT_ROWS = (ROWS - K) / UNIT::stride + 1;
  constexpr unsigned OUT_COLS = (UNIT::width + 2 * P - K) / UNIT::stride + 1;
  constexpr unsigned FILL = K * ROW_WORDS, LOADS = UNIT::stride * ROW_WORDS;
  constexpr unsigned WRITES = OUT_COLS * K * K * WORDS;
  constexpr unsigned ROW_CYCLES = larger(WRITES, LOADS);

  ap_uint<UNIT::simd * UNIT::bits> ring[RING][ROW_WORDS];
#pragma HLS ARRAY_PARTITION variable = ring complete dim = 1
#pragma HLS DEPENDENCE variable = ring type = inter dependent = false

  unsigned load_row = 0, load_slot = 0, load_at = 0;        // padded row, its place in the ring, word
  unsigned slot = 0, col = 0, ky = 0, kx = 0, channel = 0;  // of the window being written
  bool filling = true;
  unsigned cycle = 0;
  for (unsigned i = 0; i < FILL + OUT_ROWS * ROW_CYCLES; i++) {
#pragma HLS PIPELINE II = 1
    count_trip<UNIT>();
    if (!filling && cycle < WRITES) {
      const unsigned row = slot + ky < RING ? slot + ky : slot + ky - RING;
      out.write(ring[row][(col + kx) * WORDS + channel]);
      if (++channel == WORDS) {
        channel = 0;
        if (++kx == K) {
          kx = 0;
          if (++ky == K) {
            ky = 0;
            col += UNIT::stride;
          }
        }
      }
    }
    if ((filling || cycle < LOADS) && load_row < ROWS) {
      const bool inside = load_row >= P && load_row < P + UNIT::height && load_at >= P * WORDS &&
                          load_at < (P + UNIT::width) * WORDS;
      ring[load_slot][load_at] = inside ? in.read() : ap_uint<UNIT::simd * UNIT::bits>(0);
      if (++load_at == ROW_WORDS) {
        load_at = 0;
        load_row++;
        if (++load_slot == RING) load_slot = 0;
      }
    }
    if (++cycle == (filling ? FILL : ROW_CYCLES)) {
      cycle = 0;
      if (!filling) {
        col = 0;
        slot = slot + UNIT::stride < RING ? slot + UNIT::stride : slot + UNIT::stride - RING;
      }
      filling = false;
    }
  }
}

}  // namespace dse

#endif
