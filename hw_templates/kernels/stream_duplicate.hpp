// Hands on every element of a word twice, side by side: a shortcut whose channels double. One word per cycle.
//
// UNIT has pixels, channels (of the input), pe (channels per input word) and bits (of one element).
#ifndef DSE_STREAM_DUPLICATE_HPP
#define DSE_STREAM_DUPLICATE_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
void stream_duplicate(hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &in,
                      hls::stream<ap_uint<2 * UNIT::pe * UNIT::bits>> &out, unsigned frames) {
#pragma HLS INLINE
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < UNIT::pixels * (UNIT::channels / UNIT::pe); i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<UNIT>();
      const ap_uint<UNIT::pe * UNIT::bits> word = in.read();
      ap_uint<2 * UNIT::pe * UNIT::bits> twice;
      for (unsigned e = 0; e < 2 * UNIT::pe; e++) {
#pragma HLS UNROLL
        twice.range((e + 1) * UNIT::bits - 1, e * UNIT::bits) =
            word.range((e / 2 + 1) * UNIT::bits - 1, e / 2 * UNIT::bits);
      }
      out.write(twice);
    }
  }
}

}  // namespace dse

#endif
