// Hands every word to two streams (FINN: DuplicateStreams), one word per cycle.
//
// UNIT has pixels, channels, pe (channels per word) and bits (of one element).
#ifndef DSE_STREAM_FORK_HPP
#define DSE_STREAM_FORK_HPP

#include <hls_stream.h>

#include "numbers.hpp"
#include "trips.hpp"

namespace dse {

template <typename UNIT>
void stream_fork(hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &in,
                 hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &first,
                 hls::stream<ap_uint<UNIT::pe * UNIT::bits>> &second, unsigned frames) {
#pragma HLS INLINE
  for (unsigned frame = 0; frame < frames; frame++) {
    for (unsigned i = 0; i < UNIT::pixels * (UNIT::channels / UNIT::pe); i++) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_FLATTEN
      count_trip<UNIT>();
      const ap_uint<UNIT::pe * UNIT::bits> word = in.read();
      first.write(word);
      second.write(word);
    }
  }
}

}  // namespace dse

#endif
