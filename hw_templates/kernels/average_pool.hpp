// Average-pooling over windows of kernel x kernel that do not overlap, one input word per cycle: the sum of a window,
// rounded and shifted. Rows and columns that do not fill a window are read and dropped.
//
// UNIT has height, width, channels, kernel (a power of two), pe (channels per word), bits and is_signed.
#ifndef DSE_AVERAGE_POOL_HPP
#define DSE_AVERAGE_POOL_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
void average_pool(hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &in,
                  hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &out, unsigned frames) {
#pragma HLS INLINE
  constexpr unsigned K = UNIT::kernel, WORDS = UNIT::channels / UNIT::pe, PE = UNIT::pe;
  constexpr unsigned OUT_ROWS = UNIT::height / K, OUT_COLS = UNIT::width / K;
  constexpr unsigned ROW_WORDS = UNIT::width * WORDS, SHIFT = 2 * clog2(K);
  constexpr unsigned SUM_BITS = UNIT::bits + SHIFT;
  typedef ap_uint<PE * SUM_BITS> Sums;
  Sums across[WORDS];           // of this row of the window
  Sums down[OUT_COLS * WORDS];  // of the rows above
#pragma HLS ARRAY_PARTITION variable = across complete
#pragma HLS DEPENDENCE variable = down type = inter direction = RAW distance = ROW_WORDS dependent = true

  unsigned out_row = 0, out_col = 0, ky = 0, kx = 0, channel = 0;
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < UNIT::height * ROW_WORDS; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<UNIT>();
      const ap_uint<PE * UNIT::bits> word = in.read();
      const unsigned at = out_col * WORDS + channel;
      const bool ends = kx == K - 1 && out_row < OUT_ROWS && out_col < OUT_COLS;
      const Sums so_far = across[channel], above = ends ? down[at] : Sums(0);
      Sums row, window;
      ap_uint<PE * UNIT::bits> means;
      for (unsigned p = 0; p < PE; p++) {
#pragma HLS UNROLL
        const unsigned low = p * SUM_BITS, high = low + SUM_BITS - 1;
        const ap_uint<UNIT::bits> code = word.range((p + 1) * UNIT::bits - 1, p * UNIT::bits);
        const ap_uint<SUM_BITS> a = so_far.range(high, low), b = above.range(high, low);
        // modulo 2^SUM_BITS, which holds every sum
        ap_uint<SUM_BITS> sum = element<UNIT::bits, UNIT::is_signed>(code.to_uint(), 0);
        if (kx > 0) sum += a;
        row.range(high, low) = sum;
        if (ky > 0) sum += b;
        window.range(high, low) = sum;
        // one bit more: the largest sum and half a step
        const ap_int<SUM_BITS + 2> value =
            (UNIT::is_signed ? ap_int<SUM_BITS + 2>(ap_int<SUM_BITS>(sum)) : ap_int<SUM_BITS + 2>(sum)) +
            (1 << (SHIFT - 1));
        means.range((p + 1) * UNIT::bits - 1, p * UNIT::bits) = ap_uint<UNIT::bits>(value >> SHIFT);
      }
      across[channel] = row;
      if (ends) {
        down[at] = window;
        if (ky == K - 1) out.write(means);
      }
      if (++channel < WORDS) continue;
      channel = 0;
      // the last columns and rows may be incomplete windows, so the ends of the map are asked for first
      if (out_col * K + kx == UNIT::width - 1) {
        out_col = 0;
        kx = 0;
        if (out_row * K + ky == UNIT::height - 1) {
          out_row = 0;
          ky = 0;
        } else if (++ky == K) {
          ky = 0;
          out_row++;
        }
      } else if (++kx == K) {
        kx = 0;
        out_col++;
      }
    }
  }
}

}  // namespace dse

#endif
