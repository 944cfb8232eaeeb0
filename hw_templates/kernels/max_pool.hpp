// Max-pooling over windows of kernel x kernel that do not overlap, one input word per cycle; rows and
// columns that do not fill a window are read and dropped.
//
// UNIT has height, width, channels, kernel, pe (channels per word), bits and is_signed (false for codes of
// activations, bipolar ones included: there the maximum is the OR).
#ifndef DSE_MAX_POOL_HPP
#define DSE_MAX_POOL_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "trips.hpp"

namespace dse {

template <unsigned N, unsigned BITS, bool SIGNED>
ap_uint<N * BITS> larger_of(const ap_uint<N * BITS> &a, const ap_uint<N * BITS> &b) {
#pragma HLS INLINE
  ap_uint<N * BITS> result;
  for (unsigned e = 0; e < N; e++) {
#pragma HLS UNROLL
    const unsigned low = e * BITS, high = low + BITS - 1;
    const ap_uint<BITS> ea = a.range(high, low), eb = b.range(high, low);
    const bool a_wins = SIGNED ? ap_int<BITS>(ea) > ap_int<BITS>(eb) : ea > eb;
    result.range(high, low) = a_wins ? ea : eb;
  }
  return result;
}

template <typename UNIT>
void max_pool(hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &in,
              hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &out, unsigned frames) {
#pragma HLS INLINE
  constexpr unsigned K = UNIT::kernel, WORDS = UNIT::channels / UNIT::pe;
  constexpr unsigned OUT_ROWS = UNIT::height / K, OUT_COLS = UNIT::width / K;
  constexpr unsigned ROW_WORDS = UNIT::width * WORDS;
  typedef ap_uint<UNIT::pe * UNIT::bits> Word;
  Word across[WORDS];           // the largest so far in this row of the window
  Word down[OUT_COLS * WORDS];  // the largest so far in the rows above
#pragma HLS ARRAY_PARTITION variable = across complete
#pragma HLS DEPENDENCE variable = down type = inter direction = RAW distance = ROW_WORDS dependent = true

  unsigned out_row = 0, out_col = 0, ky = 0, kx = 0, channel = 0;
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < UNIT::height * ROW_WORDS; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<UNIT>();
      Word word = in.read();
      if (kx > 0) word = larger_of<UNIT::pe, UNIT::bits, UNIT::is_signed>(word, across[channel]);
      across[channel] = word;
      if (kx == K - 1 && out_row < OUT_ROWS) {
        const unsigned at = out_col * WORDS + channel;
        if (ky > 0) word = larger_of<UNIT::pe, UNIT::bits, UNIT::is_signed>(word, down[at]);
        down[at] = word;
        if (ky == K - 1) out.write(word);
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
