// Hands out a pixel of one stream, then the same pixel of the other one (FINN: StreamingConcat): the channels
// of both side by side. One word per cycle.
//
// UNIT has pixels, first_channels and second_channels (of either input), pe (channels per word, of both inputs
// and the output) and bits (of an element).
#ifndef DSE_STREAM_CONCAT_HPP
#define DSE_STREAM_CONCAT_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
void stream_concat(hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &first,
                   hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &second,
                   hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &out, unsigned frames) {
#pragma HLS INLINE
  const unsigned words = UNIT::first_channels / UNIT::pe;
  const unsigned all = words + UNIT::second_channels / UNIT::pe;
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned pixel = 0; pixel < UNIT::pixels; pixel++) {
      for (unsigned word = 0; word < all; word++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
        count_trip<UNIT>();
        if (word < words) {
          out.write(first.read());
        } else {
          out.write(second.read());
        }
      }
    }
  }
}

}  // namespace dse

#endif
