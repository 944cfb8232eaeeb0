// Depthwise convolution unit: every channel (row) has mw weights of its own, for the mw pixels of a window; PE
// products per cycle, vectors * mw * mh / PE cycles (FINN: VVAU with SIMD = 1). Windows come pixel by pixel, all
// channels of a pixel one after the other, so the sums of all channels wait in a memory.
// One loop over all frames: the unit waits for a word or for room, and never restarts.
//
// UNIT has mh, mw, vectors, pe, simd (1) and what dot.hpp and activation.hpp ask for.
#ifndef DSE_DEPTHWISE_UNIT_HPP
#define DSE_DEPTHWISE_UNIT_HPP

#include <hls_stream.h>

#include "activation.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
void depthwise_unit(
    hls::stream<ap_uint<UNIT::pe * UNIT::in_bits>> &in,
    hls::stream<ap_uint<UNIT::pe * UNIT::word_bits>> &out, unsigned frames,
    const typename Arithmetic<UNIT>::weight_chunk (&weights)[UNIT::mw * (UNIT::mh / UNIT::pe)]
                                                            [UNIT::pe]
                                                            [Arithmetic<UNIT>::Weights::chunks],
    const typename Activation<UNIT>::Row (&rows)[UNIT::mh / UNIT::pe][UNIT::pe]) {
#pragma HLS INLINE
  typedef Arithmetic<UNIT> Math;
  constexpr unsigned WORDS = UNIT::mh / UNIT::pe;
  typename Math::sum sums[WORDS][UNIT::pe];
#pragma HLS ARRAY_RESHAPE variable = sums complete dim = 2
  // the sums of a word are needed again when all other words had their turn
#pragma HLS DEPENDENCE variable = sums type = inter direction = RAW distance = WORDS dependent = true

  unsigned pixel = 0, channel = 0, step = 0;
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < UNIT::vectors * UNIT::mw * WORDS; i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<UNIT>();
      const ap_uint<UNIT::pe * UNIT::in_bits> word = in.read();
      ap_uint<UNIT::pe * UNIT::word_bits> result;
      for (unsigned p = 0; p < UNIT::pe; p++) {
#pragma HLS UNROLL
        const ap_uint<UNIT::in_bits> code = word.range((p + 1) * UNIT::in_bits - 1, p * UNIT::in_bits);
        typename Math::input_chunk x[1];
        split<1, UNIT::in_bits>(code, x);
        const typename Math::partial dot = Math::dot(weights[step][p], x);
        const typename Math::sum sum =
            (pixel == 0 ? typename Math::sum(0) : sums[channel][p]) + dot;
        sums[channel][p] = sum;
        result.range((p + 1) * UNIT::word_bits - 1, p * UNIT::word_bits) =
            Activation<UNIT>::apply(sum, rows[channel][p]);
      }
      if (pixel == UNIT::mw - 1) out.write(result);
      step++;
      if (++channel == WORDS) {
        channel = 0;
        if (++pixel == UNIT::mw) {
          pixel = 0;
          step = 0;
        }
      }
    }
  }
}

}  // namespace dse

#endif
