// Global average-pooling without the division: the sum of every channel over all pixels of a map (FINN:
// GlobalAccPool). One input word per cycle; the sums leave with the last pixel.
//
// UNIT has pixels, channels, pe (channels per word), bits, is_signed (true for bipolar elements, too) and
// sum_bits. A single pixel passes unchanged.
#ifndef DSE_GLOBAL_SUM_HPP
#define DSE_GLOBAL_SUM_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
void global_sum(hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &in,
                hls::stream<ap_uint<UNIT::pe * UNIT::sum_bits>> &out, unsigned frames) {
#pragma HLS INLINE
  constexpr unsigned WORDS = UNIT::channels / UNIT::pe;
  constexpr bool bipolar = UNIT::is_signed && UNIT::bits == 1 && UNIT::pixels > 1;
  static_assert(UNIT::pixels > 1 || UNIT::sum_bits == UNIT::bits, "a single pixel has nothing to add");
  ap_uint<UNIT::pe * UNIT::sum_bits> sums[WORDS];
  // a word is needed again when all other words had their turn
#pragma HLS DEPENDENCE variable = sums type = inter direction = RAW distance = WORDS dependent = true

  unsigned pixel = 0, channel = 0;
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < UNIT::pixels * WORDS; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<UNIT>();
      const ap_uint<UNIT::pe * UNIT::bits> word = in.read();
      const ap_uint<UNIT::pe * UNIT::sum_bits> before = sums[channel];
      ap_uint<UNIT::pe * UNIT::sum_bits> after;
      for (unsigned p = 0; p < UNIT::pe; p++) {
#pragma HLS UNROLL
        const unsigned low = p * UNIT::sum_bits, high = low + UNIT::sum_bits - 1;
        const ap_uint<UNIT::bits> code = word.range((p + 1) * UNIT::bits - 1, p * UNIT::bits);
        // modulo 2^sum_bits, which holds every sum
        ap_uint<UNIT::sum_bits> value = element<UNIT::bits, UNIT::is_signed>(code.to_uint(), 0);
        if (bipolar) value = code != 0 ? 1 : -1;
        const ap_uint<UNIT::sum_bits> so_far = before.range(high, low);
        after.range(high, low) = pixel == 0 ? value : ap_uint<UNIT::sum_bits>(so_far + value);
      }
      sums[channel] = after;
      if (pixel == UNIT::pixels - 1) out.write(after);
      if (++channel < WORDS) continue;
      channel = 0;
      if (++pixel == UNIT::pixels) pixel = 0;
    }
  }
}

}  // namespace dse

#endif
